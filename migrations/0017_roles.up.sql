-- 0017 roles: group roles with the rights that each kind of user needs, and none more.
--
-- Apply: in one transaction, into the schema that holds 0016. It makes the roles SCHEMA_producer, SCHEMA_consumer,
--     SCHEMA_inspector and SCHEMA_administrator where they are not there; that takes CREATEROLE, not a superuser. Without
--     it, let somebody who has it make them first: create role once_producer nologin; ...
-- Locks: ACCESS SHARE only. Roles belong to the whole cluster: two databases with a schema of the same name share them.
-- Reverse: 0017_roles.down.sql

do $$ begin
    perform set_config('once.migration', pg_current_xact_id()::text, true);
    perform set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
    perform set_config('lock_timeout', '2s', true);
end $$;
do $$ begin
    if current_setting('once.migration', true) is distinct from pg_current_xact_id()::text then
        raise exception 'a migration file must be applied in one transaction'
            using hint = 'psql -1 -v ON_ERROR_STOP=1 -f FILE';
    end if;
end $$;

do $migration$
declare
    v_schema constant text := current_schema();
    v_kind   text;
    v_role   text;
    v_name   text;
    v_found  integer;
    v_what   constant jsonb := '{
        "producer": "claim and complete requests, publish messages, use tokens, leases, operations and the inbox",
        "consumer": "read the outbox: subscribe, acknowledge, park; use leases and the inbox",
        "inspector": "read everything but payloads, responses and secrets",
        "administrator": "read everything, redrive, discard, resolve, purge, and act for any service"
    }';
    v_object record;
    -- What holds other people's data: payloads, responses, secrets. Inspectors see states, not these.
    -- In a view as in a table.
    v_private constant text[] := array['response_headers', 'response_json', 'response_bytes', 'response', 'headers',
                                       'payload_json', 'payload_bytes', 'token_hash', 'data'];
    -- Functions by role. Whatever is in no list is for the owner, or called by others of these functions.
    v_rights constant jsonb := '{
        "producer": ["installed_version", "serves_from", "current_service",
                     "claim", "try_claim", "claim_or_abort", "lookup", "complete", "complete_with_row",
                     "publish", "publish_many", "schedule", "cancel_scheduled",
                     "acquire_lease", "renew_lease", "release_lease", "lease_held", "assert_fence",
                     "issue_token", "issue_tokens", "redeem_token", "try_redeem_token", "redeem_token_or_abort",
                     "receive", "receive_many", "new_ones", "open_window", "call_key",
                     "begin_operation", "retake_operation", "next_operation", "advance_operation", "renew_operation",
                     "release_operation", "finish_operation"],
        "consumer": ["installed_version", "serves_from", "current_service", "subscribe", "unsubscribe", "pause_subscription",
                     "next_batch", "acknowledge", "park", "take_parked", "settle_parked", "parked_due",
                     "wake_channel", "outbox_writers", "fall_asleep", "wake_up", "release_due", "explain_stall",
                     "acquire_lease", "renew_lease", "release_lease", "lease_held", "assert_fence",
                     "receive", "receive_many", "new_ones"],
        "inspector": ["installed_version", "serves_from", "waiting_for", "slot_edges", "newest_checkpoints", "is_passed", "oldest_waiting", "explain_stall"],
        "administrator": ["subscribe", "unsubscribe", "pause_subscription", "redrive", "discard", "resume_expired",
                          "expire_subscriptions", "trim_outbox", "lookup", "resolve_operation", "end_operation",
                          "purge", "purge_leases", "purge_tokens", "purge_inbox", "purge_operations", "purge_windows"]
    }';
begin
    foreach v_kind in array array['producer', 'consumer', 'inspector', 'administrator'] loop
        v_role := v_schema || '_' || v_kind;
        if not exists (select from pg_roles where rolname = v_role) then
            begin
                execute format('create role %I nologin', v_role);
            exception
                when duplicate_object or unique_violation then null; -- another database was faster
                when insufficient_privilege then
                    raise exception 'role % is not there, and % may not make it', v_role, current_user
                        using hint = format('let somebody with CREATEROLE run: create role %I nologin', v_role);
            end;
        end if;
        if shobj_description(quote_ident(v_role)::regrole, 'pg_authid') is null then
            begin
                execute format('comment on role %I is %L', v_role,
                               format('once: may, in schemas with the name %s, %s.', v_schema, v_what ->> v_kind));
            exception when insufficient_privilege or unique_violation then
                null; -- it is not ours, or another database was faster
            end;
        end if;
        execute format('grant usage on schema %I to %I', v_schema, v_role);
        for v_name in select jsonb_array_elements_text(v_rights -> v_kind) loop
            v_found := 0;
            for v_object in select p.oid::regprocedure as signature from pg_proc as p
                            where p.pronamespace = v_schema::regnamespace and p.proname = v_name loop
                execute format('grant execute on function %s to %I', v_object.signature, v_role);
                v_found := v_found + 1;
            end loop;
            if v_found = 0 then
                raise exception 'there is no function % to grant', v_name;
            end if;
        end loop;
    end loop;

    -- Tables and views: inspectors read all columns but the private ones, administrators read everything. Nobody writes but
    -- through functions. Partitions are read through their parent.
    for v_object in
        select c.oid::regclass as name, c.relkind,
               (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute as a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attname <> all (v_private)) as columns,
               exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = any (v_private)) as has_private
        from pg_class as c
        where c.relnamespace = v_schema::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
    loop
        execute format('grant select on %s to %I', v_object.name, v_schema || '_administrator');
        if v_object.relkind <> 'v' or v_object.has_private then
            execute format('grant select (%s) on %s to %I', v_object.columns, v_object.name, v_schema || '_inspector');
        else
            execute format('grant select on %s to %I', v_object.name, v_schema || '_inspector');
        end if;
    end loop;
    execute format('grant select on all sequences in schema %I to %2$I, %3$I', v_schema, v_schema || '_inspector',
                   v_schema || '_administrator');

    -- An administrator can do what an inspector can, and maps roles to services.
    if not pg_has_role(v_schema || '_administrator', v_schema || '_inspector', 'member') then
        execute format('grant %I to %I', v_schema || '_inspector', v_schema || '_administrator');
    end if;
    execute format('grant insert, update, delete on service_role to %I', v_schema || '_administrator');
end $migration$;

insert into schema_version (version, name) values (17, 'roles');
