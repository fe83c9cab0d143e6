-- 0020 roles: group roles with the rights that each kind of user needs, and none more.
--
-- Apply: into the schema that holds 0019. It makes the roles SCHEMA_producer, SCHEMA_consumer, SCHEMA_inspector and
--     SCHEMA_administrator where they are not there; that takes CREATEROLE, not a superuser. Without it the file says
--     what a role that has it must run first. With once.group_roles = off it makes no role and grants nothing: so does
--     `once doctor` in the schema that it compares with.
-- Locks: ACCESS SHARE only. Roles belong to the whole cluster: two databases with a schema of the same name share them.
-- Reverse: 0020_roles.down.sql

do $file$ begin
perform begin_migration('0020_roles');

create function group_rights(
    p_schema regnamespace,
    out role text, out privilege text, out kind text, out object oid, out column_name name
) returns setof record
language plpgsql stable
as $$
declare
    -- What holds other people's data: payloads, responses, secrets. Inspectors see states, not these, in tables and in
    -- views.
    v_private constant text[] := array['response_headers', 'response_json', 'response_bytes', 'response', 'headers',
                                       'payload_json', 'payload_bytes', 'token_hash', 'data', 'seal_secret',
                                       -- A digest without salt tells a reader who guesses the request whether it was
                                       -- made.
                                       'fingerprint', 'altered_fingerprint', 'digest'];
    -- Functions by role. Whatever is in no list is for the owner, or called by others of these functions.
    v_rights constant jsonb := '{
        "producer": ["installed_version", "serves_from", "current_service", "require_timeline", "set_up_transaction",
                     "claim", "try_claim", "claim_or_abort", "lookup", "complete", "complete_with_row",
                     "begin_request", "begin_request_or_abort", "finish_request", "finish_request_with_row",
                     "publish", "publish_many", "schedule", "cancel_scheduled", "message_id_of",
                         "message_id_from_name", "copied_apart",
                     "acquire_lease", "renew_lease", "release_lease", "lease_held", "assert_fence",
                     "issue_token", "issue_tokens", "redeem_token", "try_redeem_token", "redeem_token_or_abort",
                     "receive", "receive_many", "new_ones", "open_window", "call_key",
                     "begin_operation", "retake_operation", "next_operation", "advance_operation", "renew_operation",
                     "release_operation", "finish_operation"],
        "consumer": ["installed_version", "serves_from", "current_service", "require_timeline", "set_up_transaction",
            "subscribe", "unsubscribe", "pause_subscription",
                     "next_batch", "acknowledge", "park", "take_parked", "settle_parked", "parked_due",
                     "wake_channel", "outbox_writers", "fall_asleep", "wake_up", "release_due", "explain_stall",
                     "acquire_lease", "renew_lease", "release_lease", "lease_held", "assert_fence",
                     "receive", "receive_many", "new_ones", "message_id_from_name", "copied_apart"],
        "inspector": ["installed_version", "serves_from", "copied_apart", "waiting_for", "slot_edges",
            "newest_checkpoints", "is_passed", "oldest_waiting", "explain_stall",
            "request_holder", "request_lock", "acts_for"],
        "administrator": ["subscribe", "unsubscribe", "pause_subscription", "redrive", "discard", "resume_expired",
                          "expire_subscriptions", "trim_outbox", "lookup", "resolve_operation", "end_operation",
                          "write_mapped_service",
                          "purge", "purge_leases", "purge_tokens", "purge_inbox", "purge_operations", "purge_windows"]
    }';
begin
    return query
        select r.key, 'EXECUTE'::text, 'function'::text, p.oid, null::name
        from jsonb_each(v_rights) as r cross join jsonb_array_elements_text(r.value) as f (name)
        left join pg_catalog.pg_proc as p on p.pronamespace = p_schema and p.proname = f.name;

    -- Tables and views: inspectors read all columns but the private ones, administrators read everything but what
    -- batches are sealed with. All writing goes through functions. Partitions are read through their parent.
    return query
        select g.role, 'SELECT'::text, case c.relkind when 'S' then 'sequence' else 'table' end, c.oid, a.attname
        from pg_catalog.pg_class as c
        cross join (values ('administrator'), ('inspector')) as g (role)
        left join pg_catalog.pg_attribute as a
            on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind <> 'S'
               and (g.role = 'inspector' or c.relname = 'subscription')
               and (c.relkind <> 'v' or exists (select from pg_catalog.pg_attribute as p
                                                where p.attrelid = c.oid and p.attname = any (v_private)))
        where c.relnamespace = p_schema and c.relkind in ('r', 'p', 'v', 'S') and not c.relispartition
          and c.relname <> 'outbox_wake_secret_seq'
          and (a.attname is null or a.attname <> all (v_private)
               or g.role = 'administrator' and a.attname <> 'seal_secret');

    -- An administrator maps roles to services.
    return query
        select 'administrator', w.privilege, 'table', c.oid, null::name
        from pg_catalog.pg_class as c cross join (values ('INSERT'), ('UPDATE'), ('DELETE')) as w (privilege)
        where c.relnamespace = p_schema and c.relname = 'service_role';
end $$;
comment on function group_rights(regnamespace) is
    'What each group role may do in such a schema: role (without the name of the schema), privilege, and the object, '
    'by column where only some may be read. object null: a function that is not there. once doctor compares it with '
    'what is granted.';

if current_setting('once.group_roles', true) is distinct from 'off' then
declare
    v_schema constant text := current_schema();
    v_kinds  constant text[] := array['producer', 'consumer', 'inspector', 'administrator'];
    v_kind   text;
    v_role   text;
    v_make   text[] := '{}';
    v_step   text;
    v_right  record;
    v_what   constant jsonb := '{
        "producer": "claim and complete requests, publish messages, use tokens, leases, operations and the inbox",
        "consumer": "read the outbox: subscribe, acknowledge, park; use leases and the inbox",
        "inspector": "read everything but payloads, responses, their fingerprints, and secrets",
        "administrator": "read everything, redrive, discard, resolve, purge, and act for any service"
    }';
begin
    foreach v_kind in array v_kinds loop
        if not exists (select from pg_roles where rolname = v_schema || '_' || v_kind) then
            v_make := v_make || format('create role %I nologin', v_schema || '_' || v_kind);
        end if;
    end loop;
    -- An administrator can do what an inspector can.
    if not exists (select from pg_auth_members as m join pg_roles as g on g.oid = m.roleid
        join pg_roles as r on r.oid = m.member
                   where g.rolname = v_schema || '_inspector' and r.rolname = v_schema || '_administrator') then
        v_make := v_make || format('grant %I to %I', v_schema || '_inspector', v_schema || '_administrator');
    end if;
    foreach v_step in array v_make loop
        begin
            execute v_step;
        exception
            when duplicate_object or unique_violation then null; -- another database was faster
            when insufficient_privilege then
                raise exception 'the group roles of schema % are not complete, and % may not make them', v_schema,
                    current_user
                    using errcode = 'insufficient_privilege',
                          hint = 'let a role with CREATEROLE run the following, then apply this file again: '
                                 || array_to_string(v_make, '; ') || ';';
        end;
    end loop;

    foreach v_kind in array v_kinds loop
        v_role := v_schema || '_' || v_kind;
        if shobj_description(quote_ident(v_role)::regrole, 'pg_authid') is null then
            begin
                execute format('comment on role %I is %L', v_role,
                               format('once: may, in schemas with the name %s, %s.', v_schema, v_what ->> v_kind));
            exception when insufficient_privilege or unique_violation then
                null; -- it is not ours, or another database was faster
            end;
        end if;
        execute format('grant usage on schema %I to %I', v_schema, v_role);
    end loop;

    for v_right in
        select r.role, r.privilege, r.kind, r.object, string_agg(quote_ident(r.column_name), ', ') as columns
        from group_rights(v_schema::regnamespace) as r group by r.role, r.privilege, r.kind, r.object
    loop
        if v_right.object is null then
            raise exception 'group_rights() names a function that is not there';
        end if;
        execute format('grant %s%s on %s %s to %I', v_right.privilege, ' (' || v_right.columns || ')', v_right.kind,
                       case v_right.kind when 'function' then v_right.object::regprocedure::text
                                         else v_right.object::regclass::text end,
                       v_schema || '_' || v_right.role);
    end loop;
end;
end if;

perform end_migration();
end $file$;
