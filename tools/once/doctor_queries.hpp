// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

/** @file
 * What `once doctor` asks. Each runs behind `plain_settings`, so that no text of the catalog depends on the session.
 */
namespace once::command::queries {

/// Texts of the catalog name the schema of everything that is not in pg_catalog, and quote nothing that needs no
/// quotes.
inline constexpr char const* plain_settings =
    R"sql(set local search_path = ''; set local quote_all_identifiers = off; set local datestyle = 'ISO, YMD';
set local intervalstyle = 'postgres'; set local timezone = 'UTC'; set local bytea_output = 'hex';
    set local extra_float_digits = 1)sql";

/// The last migration makes no roles and grants nothing: the schema that doctor compares with has no roles of its own.
inline constexpr char const* without_group_roles = R"sql(set local once.group_roles = 'off')sql";

/// Columns: whether a schema can be made here, who asks, which database.
inline constexpr char const* may_make_schemas = R"sql(
select has_database_privilege(current_database(), 'create'), quote_ident(current_user),
    quote_ident(current_database()))sql";

/// Every object of a schema with its definition. Rights are not in it: see rights.
///   $1 text: schema
/// Columns: kind, name, definition, fix (SQL that makes it), change (SQL that makes it of another one; null: as fix)
inline constexpr char const* catalog = R"sql(
with s as (select oid, nspname from pg_namespace where nspname = $1),
own as (
    select 'table' as kind, c.relname::text as name,
           concat_ws(' ', case c.relkind when 'p' then 'partitioned ' || pg_get_partkeydef(c.oid) when 'v' then 'view'
               else 'table' end,
                     case c.relpersistence when 'u' then 'UNLOGGED' end,
                     case when c.relrowsecurity then 'ROW SECURITY' end,
                     pg_get_expr(c.relpartbound, c.oid), array_to_string(c.reloptions, ', ')) as definition,
           null as fix,
           case when c.relkind = 'r' then concat_ws(E';\n',
               format('alter table %I.%I set logged', s.nspname, c.relname),
               format('alter table %I.%I disable row level security', s.nspname, c.relname),
               format('alter table %I.%I set (%s)', s.nspname, c.relname, nullif(array_to_string(c.reloptions, ', '),
                   '')))
           end as change
    from pg_class as c join s on c.relnamespace = s.oid where c.relkind in ('r', 'p')
    union all
    select 'view', c.relname, pg_get_viewdef(c.oid),
           format('create or replace view %I.%I as %s', s.nspname, c.relname, rtrim(pg_get_viewdef(c.oid), ';')), null
    from pg_class as c join s on c.relnamespace = s.oid where c.relkind = 'v'
    union all
    select 'column', c.relname || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                     case when a.attcollation <> t.typcollation then 'collate ' || (select collname from pg_collation
                         where oid = a.attcollation) end,
                     case a.attgenerated when 's' then 'generated' end,
                     'default ' || pg_get_expr(d.adbin, d.adrelid)),
           null, null
    from pg_class as c join s on c.relnamespace = s.oid
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relkind in ('r', 'p', 'c')
    union all
    select 'constraint', coalesce(c.relname, t.typname) || '.' || o.conname,
           pg_get_constraintdef(o.oid) || case when o.convalidated then '' else ' NOT VALID' end
               || case when o.condeferrable then ' DEFERRABLE' else '' end,
           format('alter %s %I.%I add constraint %I %s', e.what, s.nspname, e.name, o.conname,
               pg_get_constraintdef(o.oid)),
           format(E'alter %s %I.%I drop constraint %I;\nalter %1$s %2$I.%3$I add constraint %4$I %5$s', e.what,
               s.nspname, e.name,
                  o.conname, pg_get_constraintdef(o.oid))
    from pg_constraint as o join s on o.connamespace = s.oid
    left join pg_class as c on c.oid = o.conrelid
    left join pg_type as t on t.oid = o.contypid
    cross join lateral (select case when c.oid is null then 'domain'
        else 'table' end as what, coalesce(c.relname, t.typname) as name) as e
    where o.contype in ('c', 'p', 'u', 'f', 'x')
    union all
    select 'index', c.relname,
           pg_get_indexdef(c.oid) || case when i.indisvalid then '' else ' INVALID' end
               || coalesce(' ' || array_to_string(c.reloptions, ', '), ''),
           replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON '),
           format(E'drop index %I.%I;\n%s', s.nspname, c.relname, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON '))
    from pg_class as c join s on c.relnamespace = s.oid join pg_index as i on i.indexrelid = c.oid
    where not c.relispartition and not exists (select from pg_constraint as o where o.conindid = c.oid)
    union all
    select 'sequence', c.relname,
           format('%s cache %s increment %s%s', format_type(q.seqtypid, null), q.seqcache, q.seqincrement,
                  case when q.seqcycle then ' cycle' end),
           format('create sequence %I.%I as %s cache %s increment %s', s.nspname, c.relname, format_type(q.seqtypid,
               null),
                  q.seqcache, q.seqincrement),
           format('alter sequence %I.%I cache %s increment %s%s', s.nspname, c.relname, q.seqcache, q.seqincrement,
                  case when q.seqcycle then ' cycle' else ' no cycle' end)
    from pg_class as c join s on c.relnamespace = s.oid join pg_sequence as q on q.seqrelid = c.oid
    union all
    -- Two are written by the schema itself, from rows: see row_findings.
    select 'function', p.oid::regprocedure::text,
           case when p.proname in ('mapped_service', 'any_mapped_service') then '' else d.definition end,
           d.definition, null
    from pg_proc as p join s on p.pronamespace = s.oid
    cross join lateral (select pg_get_functiondef(p.oid) as definition) as d
    union all
    select 'trigger', c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid), pg_get_triggerdef(t.oid),
           format(E'drop trigger %I on %I.%I;\n%s', t.tgname, s.nspname, c.relname, pg_get_triggerdef(t.oid))
    from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join s on c.relnamespace = s.oid
        where not t.tgisinternal
    union all
    select 'rule', c.relname || '.' || r.rulename, pg_get_ruledef(r.oid), null, null
    from pg_rewrite as r join pg_class as c on c.oid = r.ev_class join s on c.relnamespace = s.oid
        where r.rulename <> '_RETURN'
    union all
    select 'domain', t.typname, format_type(t.typbasetype, t.typtypmod), null, null
    from pg_type as t join s on t.typnamespace = s.oid where t.typtype = 'd'
    union all
    select 'enum', t.typname, (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum as e
        where e.enumtypid = t.oid), null, null
    from pg_type as t join s on t.typnamespace = s.oid where t.typtype = 'e'
    union all
    select 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid),
           case when d.description like 'What service\_role says about a role%' then '' else d.description end,
           format('comment on %s is %L', o.target, d.description), null
    from pg_description as d
    join lateral (
        select relnamespace as nsp,
               case when d.objsubid > 0 then format('column %s.%I', c.oid::regclass, (select attname from pg_attribute
                   where attrelid = c.oid and attnum = d.objsubid))
                    else case relkind when 'v' then 'view' when 'S' then 'sequence' when 'i' then 'index'
                        when 'I' then 'index' when 'c' then 'type' else 'table' end
                         || ' ' || c.oid::regclass end as target
        from pg_class as c where oid = d.objoid and d.classoid = 'pg_class'::regclass
        union all
        select pronamespace, 'function ' || oid::regprocedure from pg_proc where oid = d.objoid
            and d.classoid = 'pg_proc'::regclass
        union all
        select typnamespace, case typtype when 'd' then 'domain ' else 'type ' end || oid::regtype
        from pg_type where oid = d.objoid and d.classoid = 'pg_type'::regclass
        union all
        select connamespace, format('constraint %I on %s', conname, case
            when contypid <> 0 then 'domain ' || contypid::regtype else conrelid::regclass::text end)
        from pg_constraint where oid = d.objoid and d.classoid = 'pg_constraint'::regclass
    ) as o on true join s on o.nsp = s.oid
)
select kind, name, definition, fix, change from own)sql";

/// Every right of others than the owner of the object.
///   $1 text: schema
/// Columns: who (public: everybody), privilege, kind, name, column
inline constexpr char const* rights = R"sql(
with s as (select oid, nspname, nspowner, nspacl from pg_namespace where nspname = $1),
object as (
    select 'schema' as kind, quote_ident(nspname) as name, null::name as column_name, nspowner as owner, nspacl as acl
        from s
    union all
    select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, null, c.relowner, c.relacl
    from pg_class as c join s on c.relnamespace = s.oid where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    union all
    select 'table', c.oid::regclass::text, a.attname, c.relowner, a.attacl
    from pg_class as c join s on c.relnamespace = s.oid join pg_attribute as a on a.attrelid = c.oid
        and not a.attisdropped
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'function', p.oid::regprocedure::text, null, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    from pg_proc as p join s on p.pronamespace = s.oid
)
select distinct case a.grantee when 0 then 'public'
    else pg_get_userbyid(a.grantee) end as who, a.privilege_type as privilege,
       o.kind, o.name, o.column_name
from object as o cross join lateral aclexplode(o.acl) as a where a.grantee <> o.owner)sql";

/// Roles and rights that are not as the migrations make them. One row each: what, why, fix.
///   $1 text: schema
/// RIGHTS stands for the query above, SCRATCH for a schema that holds the migrations as they are.
inline constexpr char const* right_findings = R"sql(
with s as (select oid, nspname from pg_namespace where nspname = $1),
granted as (RIGHTS),
group_role as (
    select s.nspname || '_' || kind as name, kind from s, unnest(array['producer', 'consumer', 'inspector',
        'administrator']) as kind
), expected as (
    -- By the names in the scratch schema: also of what is missing in the live one.
    select s.nspname || '_' || g.role as who, g.privilege, g.kind,
           replace(case g.kind when 'function' then g.object::regprocedure::text else g.object::regclass::text end,
                   'SCRATCH.', quote_ident(s.nspname) || '.') as name, g.column_name
    from s cross join lateral SCRATCH.group_rights('SCRATCH'::regnamespace) as g where g.object is not null
    union all
    select g.name, 'USAGE', 'schema', quote_ident(s.nspname), null from s, group_role as g
), lacking as (
    select e.* from expected as e
    where not exists (select from granted as g where (g.who, g.privilege, g.kind, g.name) = (e.who, e.privilege,
        e.kind, e.name)
                                                 and (g.column_name is null or g.column_name = e.column_name))
), documented (name) as (
    -- What docs/operations.md and 0004_enforce_version grant to roles of people: a janitor, an owner of business
    -- tables.
    values ('purge'), ('purge_leases'), ('purge_tokens'), ('purge_inbox'), ('purge_operations'), ('purge_windows'),
        ('trim_outbox'),
           ('enforce_version'), ('relax_version'), ('refuse_stale_version'), ('installed_version'), ('serves_from'),
           ('service_by_membership')
), foreign_right as (
    select g.* from granted as g
    where not exists (select from expected as e where (e.who, e.privilege, e.kind, e.name) = (g.who, g.privilege,
        g.kind, g.name)
                                                  and e.column_name is not distinct from g.column_name)
      and not (g.kind = 'schema' and g.privilege = 'USAGE')
      and not (g.kind = 'function' and g.who <> 'public'
               and split_part(substr(g.name, 1, strpos(g.name, '(') - 1), '.', 2) in (select d.name
                   from documented as d))
), shown as (
    select d.*, format('%s on %s %s', lower(d.privilege), d.kind, coalesce(d.name || '.' || d.column_name,
        d.name)) as long,
           concat(d.privilege, ' (' || quote_ident(d.column_name) || ')', ' on ', d.kind, ' ', d.name) as target
    from (select l.*, false as foreign_one from lacking as l union all select f.*, true from foreign_right as f) as d
), by_role as (
    select who, foreign_one, count(*) as rights, (array_agg(long order by kind, name))[1:5] as first,
           string_agg(case when foreign_one then format('revoke %s from %s', target, case who
               when 'public' then 'public' else quote_ident(who) end)
                           else format('grant %s to %I', target, who) end, E';\n' order by kind, name, column_name)
               -- To take back a right on a table takes back those on its columns.
               || coalesce((select E';\n' || string_agg(format('grant %s (%I) on table %s to %I', e.privilege,
                   e.column_name, e.name, e.who), E';\n')
                            from expected as e
                            where s.foreign_one and e.who = s.who and e.column_name is not null
                              and exists (select from foreign_right as f
                                  where (f.who, f.name) = (e.who, e.name))), '') as fix
    from shown as s group by who, foreign_one
)
select format('role %s is missing', g.name), 'services, people and jobs get their rights from it',
    format('create role %I nologin', g.name), 1 as place
from group_role as g where not exists (select from pg_roles as r where r.rolname = g.name)
union all
select format('role %s_administrator is no member of %1$s_inspector', s.nspname),
    'an administrator can do what an inspector can',
       format('grant %I to %I', s.nspname || '_inspector', s.nspname || '_administrator'), 2
from s where not exists (
    select from pg_auth_members as m where pg_get_userbyid(m.roleid) = s.nspname || '_inspector'
                                       and pg_get_userbyid(m.member) = s.nspname || '_administrator')
union all
select format('role %s lacks %s of its rights', who, rights),
       array_to_string(first, ', ') || case when rights > 5 then format(' and %s more', rights - 5) else '' end, fix, 3
from by_role where not foreign_one
union all
select case who when 'public' then format('everybody (public) has %s rights that the schema does not give', rights)
                else format('role %s has %s rights that the schema does not give', who, rights) end,
       array_to_string(first, ', ') || case when rights > 5 then format(' and %s more', rights - 5) else '' end, fix, 4
from by_role where foreign_one
order by 4, 1)sql";

/// Objects that do not belong to the role that most of them belong to. One row each: what, why, fix.
///   $1 text: schema
inline constexpr char const* owner_findings = R"sql(
with s as (select oid, nspname from pg_namespace where nspname = $1),
object as (
    select case c.relkind when 'S' then 'sequence' when 'v' then 'view'
        else 'table' end as kind, c.oid::regclass::text as name, c.relowner as owner
    from pg_class as c join s on c.relnamespace = s.oid
    where c.relkind in ('r', 'p', 'v', 'S')
      and not exists (select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid
          and d.deptype in ('a', 'i') and c.relkind = 'S')
    union all
    select 'function', p.oid::regprocedure::text, p.proowner from pg_proc as p join s on p.pronamespace = s.oid
    union all
    select case t.typtype when 'd' then 'domain' else 'type' end, t.oid::regtype::text, t.typowner
    from pg_type as t join s on t.typnamespace = s.oid left join pg_class as c on c.oid = t.typrelid
    where t.typtype in ('d', 'e') or c.relkind = 'c'
), usual as (select mode() within group (order by owner) as owner from object)
select format('%s %s belongs to %s', o.kind, o.name, pg_get_userbyid(o.owner)),
       format('the others belong to %s; functions work with the rights of their owner', pg_get_userbyid(u.owner)),
       format('alter %s %s owner to %I', o.kind, o.name, pg_get_userbyid(u.owner))
from object as o, usual as u where o.owner <> u.owner order by 1)sql";

/// Tables whose rows cannot be changed, because a publication needs to know them. One row each: what, why, fix.
///   $1 text: schema
inline constexpr char const* publication_findings = R"sql(
select format('publication %s publishes table %s, which has no replica identity', string_agg(p.pubname, ', '),
    c.oid::regclass),
       'PostgreSQL refuses UPDATE and DELETE there, so that trim_outbox(), rebase() and purges fail',
       format('alter table %s replica identity %s', c.oid::regclass, case when k.oid is null then 'full'
           else 'default' end)
from pg_class as c join pg_namespace as s on s.oid = c.relnamespace and s.nspname = $1
left join pg_constraint as k on k.conrelid = c.oid and k.contype = 'p'
cross join pg_publication as p
where c.relkind = 'r' and (p.pubupdate or p.pubdelete)
  and (c.relreplident = 'n' or (c.relreplident = 'd' and k.oid is null)
       or (c.relreplident = 'i' and not exists (select from pg_index as i where i.indrelid = c.oid
           and i.indisreplident)))
  and (p.puballtables or exists (select from pg_publication_tables as t
                                 where t.pubname = p.pubname and t.schemaname = s.nspname
                                   and t.tablename in (c.relname, (select b.relname from pg_inherits as h
                                       join pg_class as b on b.oid = h.inhparent
                                                                   where h.inhrelid = c.oid))))
group by c.oid, k.oid order by 1)sql";

/// Login roles that look like one service whose credentials are rotated. One row each: what, why, advice.
///   $1 text: schema
/// A group that gives the right to use the library to several login roles, of which at least two have data of their
/// own. SCHEMA stands for the schema, quoted.
inline constexpr char const* rotation_findings = R"sql(
with member as (
    select g.rolname as of_group, r.rolname as name
    from pg_auth_members as m join pg_roles as g on g.oid = m.roleid join pg_roles as r on r.oid = m.member
    where r.rolcanlogin and not r.rolsuper and not g.rolsuper
      and g.rolname not in ($1 || '_producer', $1 || '_consumer', $1 || '_inspector', $1 || '_administrator')
      and exists (select from pg_roles as k
                  where k.rolname in ($1 || '_producer', $1 || '_consumer') and pg_has_role(g.oid, k.oid, 'member'))
      and not exists (select from SCHEMA.service_role as s
                      where s.role = r.rolname)
      and not has_function_privilege(r.oid, to_regprocedure('SCHEMA.service_by_membership()'), 'execute')
      and (exists (select from SCHEMA.idempotency_record as i where i.service = r.rolname)
           or exists (select from SCHEMA.subscription as i where i.service = r.rolname)
           or exists (select from SCHEMA.inbox as i where i.service = r.rolname)
           or exists (select from SCHEMA.outbox_identity as i where i.service = r.rolname))
)
select format('login roles %s of the group %s are services of their own', string_agg(distinct name, ', '), of_group),
       'if they are one service whose credentials are rotated, a key that two of them send takes effect twice, '
        'and each '
       'reads every message',
       format('one service: insert into SCHEMA.service_role (role, service) values (%L, %1$L); '
              'grant execute on function SCHEMA.service_by_membership() to %1$I. Several: a row of service_role for '
               'each', of_group)
from member group by of_group having count(distinct name) > 1 order by 1)sql";

/// Rows of service_role that the functions do not know, and rows that no function of the schema can have written.
/// One row each: what, why, fix, advice. SCHEMA stands for the schema, quoted.
/// Of a large table a thousand pages are looked at, in no order.
inline constexpr char const* row_findings = R"sql(
select 'service_role was changed without its trigger',
       'the functions take the service of a role from mapped_service(), which does not hold the rows of the table: a '
       'restore with --disable-triggers or logical replication brings that about',
       'select SCHEMA.write_mapped_service()', ''
where obj_description('SCHEMA.mapped_service(name)'::regprocedure, 'pg_proc') not like
      '%' || SCHEMA.service_role_digest() || '%'
   or SCHEMA.any_mapped_service() <> exists (select from SCHEMA.service_role)
union all
select format('%s records of idempotency_record, as far as was looked, break its rules', count(*)),
       'no function of this schema writes such a record: scope and key are printable ASCII of 1 to 255 bytes, a '
       'fingerprint has 32 bytes, a status is 100 to 599, and a response has exactly one body',
       '', 'find out who writes to the table past the functions'
from SCHEMA.idempotency_record as r tablesample system (
    (select 100 * least(1, 1000.0 / greatest(1, pg_relation_size('SCHEMA.idempotency_record') / 8192)))::real)
where (octet_length(scope) <= 255 and scope ~ '^[!-~]([ -~]*[!-~])?$'
       and octet_length(key) <= 255 and key ~ '^[!-~]([ -~]*[!-~])?$'
       and coalesce(octet_length(fingerprint), 32) = 32
       and case when response_status is null
                then num_nonnulls(response_headers, response_content_type, response_json, response_bytes) = 0
                else response_status between 100 and 599 and num_nonnulls(response_json, response_bytes) = 1 end)
      is not true
having count(*) > 0
union all
select format('%s messages of outbox, as far as was looked, break its rules', count(*)),
       'no function of this schema writes such a message: see message_is_valid()',
       '', 'find out who writes to the table past the functions'
from SCHEMA.outbox as o tablesample system (
    (select 100 * least(1, 1000.0 / greatest(1, sum(pg_relation_size(i.inhrelid)) / 8192)) from pg_inherits as i
     where i.inhparent = 'SCHEMA.outbox'::regclass)::real)
where (SCHEMA.message_is_valid(topic, key, traceparent, content_type, headers, payload_json, payload_bytes)
       and bucket = SCHEMA.bucket_of(key, message_id)) is not true
having count(*) > 0
union all
select format('%s checkpoints break the rules of their table', count(*)),
       'no function of this schema writes such a checkpoint: an open window has all of to_snap, to_id and to_bound, '
       'and a batch has no or more messages',
       '', 'find out who writes to the table past the functions'
from SCHEMA.checkpoint
where messages < 0 or num_nonnulls(to_snap, to_id, to_bound) not in (0, 3)
having count(*) > 0)sql";

/// Settings that break a promise. One row each: what, why, fix (SQL), advice (what needs a decision).
inline constexpr char const* risky_settings = R"sql(
select 'setting ' || name || ' is ' || setting as what, why, format('alter system set %s = on', name) as fix,
    null as advice
from pg_settings
join (values
    ('fsync', 'off', 'a crash of the machine loses or corrupts what was acknowledged'),
    ('full_page_writes', 'off', 'a crash of the machine can corrupt the data'),
    ('synchronous_commit', 'off', 'a crash loses the last commits; execute() raises it for its own transactions'),
    ('autovacuum', 'off', 'tables grow, and the cluster stops at transaction id wraparound'),
    ('track_activities', 'off', 'explain_stall() cannot name who holds things up')
) as risk (name, bad, why) using (name)
where setting = bad
union all
select format('%s runs a transaction for %s (pid %s, user %s, application %s)', coalesce(backend_type, 'session'),
              date_trunc('second', clock_timestamp() - xact_start), pid, usename, application_name),
       'it keeps dead rows of every table, and slots of the outbox that it can see',
       null, format('if nobody needs it: select pg_terminate_backend(%s)', pid)
from pg_stat_activity
where xact_start < clock_timestamp() - interval '10 minutes' and pid <> pg_backend_pid()
    and backend_type = 'client backend'
union all
select format('prepared transaction %s of %s is %s old', gid, owner, date_trunc('second',
    clock_timestamp() - prepared)),
       'its messages wait for it, and so do claims of its keys', null,
           format('commit prepared %L, or rollback prepared %1$L', gid)
from pg_prepared_xacts where prepared < clock_timestamp() - interval '10 minutes' and database = current_database()
union all
select format('the notification queue is %s %% full', round((pg_notification_queue_usage() * 100)::numeric)),
       'above 50 % nobody wakes readers any more, and a full queue makes commits with NOTIFY fail', null,
       'end the session that listens and never reads: '
            'select pid from pg_stat_activity where state = ''idle in transaction'''
where pg_notification_queue_usage() > 0.3)sql";

} // namespace once::command::queries
