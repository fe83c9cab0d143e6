// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/effects.hpp"
#include "support/login_role.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/result>
#include <pqxx/row>

#include <string>
#include <string_view>

/** @file
 * Functions of the schema run with its owner's rights under the caller's search_path. A caller who puts a schema of its
 * own in front, with everything in it that PostgreSQL has, must not get a single call of it.
 */
using namespace once::testing;

namespace {

// A schema with a stand-in for each operator, function and type that a body could mean, and for our tables. Each
// raises an error. What takes "any" cannot be written in plpgsql, so its stand-ins are of the concrete types.
constexpr auto make_hostile_schema = R"sql(
create schema hostile;
create function hostile.refuse() returns boolean language plpgsql as $$ begin
    raise exception 'hostile: the caller got in';
end $$;
create table hostile.idempotency_record (like once.idempotency_record);
create table hostile.service_role (role text, service text);
create type hostile.claim_answer as (outcome text);
do $$
declare
    kinds constant regtype[] :=
        '{text,name,bytea,integer,bigint,numeric,double precision,timestamptz,interval,json,boolean,regtype}';
    one   record;
begin
    for one in select o.oid, oprname, oprleft::regtype as l, oprright::regtype as r, oprresult::regtype as result
               from pg_operator as o where oprleft = any (kinds) and oprright = any (kinds)
                   and oprnamespace = 'pg_catalog'::regnamespace
    loop
        execute format('create function hostile.operator_%s(%s, %s) returns %s language plpgsql as '
                       '''begin perform hostile.refuse(); end''', one.oid, one.l, one.r, one.result);
        execute format('create operator hostile.%s (leftarg = %s, rightarg = %s, function = hostile.operator_%s)',
                       one.oprname, one.l, one.r, one.oid);
    end loop;
    for one in select distinct on (p.proname, p.proargtypes) p.proname,
        pg_get_function_identity_arguments(p.oid) as arguments,
                      p.prorettype::regtype as result
               from pg_proc as p join pg_proc as ours on ours.pronamespace = 'once'::regnamespace
                    and ours.prosrc ~ ('\m' || p.proname || '\M')
               where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
                 and not exists (select from unnest(p.proargtypes::oid[] || p.prorettype) as a
                     join pg_type as t on t.oid = a
                                 where t.typtype = 'p')
    loop
        execute format('create function hostile.%I(%s) returns %s language plpgsql as '
                       '''begin perform hostile.refuse(); end''', one.proname, one.arguments, one.result);
    end loop;
    for one in select kind from unnest(kinds) as kind loop
        execute format('create domain hostile.%I as %s check (hostile.refuse())',
                       (select typname from pg_type where oid = one.kind), one.kind);
    end loop;
    for one in select format_type(t, null) as l, format_type(u, null) as r
        from unnest('{text,json,bytea}'::regtype[]) as t, unnest('{text,json,bytea}'::regtype[]) as u loop
        execute format('create function hostile.num_nonnulls(%s, %s) returns integer language plpgsql as '
                       '''begin perform hostile.refuse(); end''', one.l, one.r);
    end loop;
end $$;
-- Shows that the traps are live: what a careless function of the schema would do.
create function once.careless_operator(text) returns boolean language plpgsql security definer as $$
    begin return $1 = 'x'; end $$;
create function once.careless_function() returns timestamptz language plpgsql security definer as $$
    begin return clock_timestamp(); end $$;
create function once.careless_type() returns boolean language plpgsql security definer as $$ declare v text := 'x';
    begin return true; end $$;
create function once.careless_table() returns bigint language plpgsql security definer as $$
    begin return (select count(*) from service_role); end $$;
grant usage on schema hostile to public;
)sql";

// Each privileged function, with all of its arguments and with those that it must have, so that no name is looked up
// for the call itself. (Whose p_now is refused would not come far.)
constexpr auto all_calls = R"sql(
select format('select * from once.%I(%s)', p.proname, coalesce((
           select string_agg(format('%s::%I.%I', case t.typname
                      when 'timestamptz' then case when p.proargnames[a.place] = 'p_now' then 'null' else '''now''' end
                      when 'text' then '''s''' when '_text' then '''{s}''' when 'json' then '''{}'''
                          when '_json' then '''{"{}"}'''
                      when 'interval' then '''1 minute''' when '_timestamptz' then '''{now}'''
                      when 'bytea' then quote_literal(repeat('x', 32))
                          when '_bytea' then quote_literal('{' || repeat('x', 32) || '}')
                      when 'uuid' then '''0192f0c1-90aa-7000-9000-0123456789ab'''
                          when '_uuid' then '''{0192f0c1-90aa-7000-9000-0123456789ac}'''
                      when 'bool' then '''true''' when 'int2' then '''1''' when 'int4' then '''1'''
                          when 'int8' then '''1''' when '_int8' then '''{1}'''
                      else 'null' end, n.nspname, t.typname), ', ' order by a.place)
           from unnest(p.proargtypes::oid[]) with ordinality as a (type, place)
           join pg_type as t on t.oid = a.type join pg_namespace as n on n.oid = t.typnamespace
           where a.place <= given), ''))
from pg_proc as p
cross join lateral (select distinct unnest(array[p.pronargs, p.pronargs - p.pronargdefaults])) as v (given)
where p.pronamespace = 'once'::regnamespace and p.prosecdef
order by p.proname, given)sql";

struct hostile_session : effects_database {
    login_role caller{*this, "caller"};

    hostile_session() {
        caller.grant_use();
        run(make_hostile_schema);
        run("grant execute on all functions in schema hostile to " + caller.name());
        run("grant execute on function once.careless_operator, once.careless_function, once.careless_type, "
            "once.careless_table to " +
            caller.name());
        // Whose records are these, if somebody reads the wrong table?
        run("insert into hostile.service_role values ('" + caller.name() + "', 'victim')");
    }
};

class caller_session {
public:
    explicit caller_session(hostile_session const& server) : m_connection{server.caller.dsn()} {
        run("create temporary table service_role as select session_user::text as role, 'victim' as service");
        run("create temporary table idempotency_record (service text, scope text, key text)");
        run("set search_path = hostile, pg_temp, pg_catalog");
    }
    std::string run(std::string const& sql) {
        pqxx::nontransaction tx{m_connection};
        auto const rows = tx.exec(sql);
        return rows.empty() || rows.columns() == 0 || rows[0][0].is_null() ? std::string{}
                                                                           : std::string{rows[0][0].c_str()};
    }

private:
    pqxx::connection m_connection;
};

} // namespace

TEST_CASE("nothing on the caller's search_path stands in for a name in a function of the schema",
          "[services]") {
    hostile_session const server;
    caller_session caller{server};

    CHECK(caller.run("select outcome from once.claim('s', 'k', '\\x01010101010101010101010101010101"
                     "01010101010101010101010101010101')") == "started");
    caller.run("select once.complete('s', 'k', 200, '[[\"a\",\"b\"]]', 'application/json', '{}', null)");
    CHECK(caller.run("select outcome from once.claim('s', 'k', '\\x01010101010101010101010101010101"
                     "01010101010101010101010101010101')") == "replayed");
    CHECK(caller.run("select outcome from once.claim('s', 'k')") == "key_reused");
    CHECK(caller.run("select outcome from once.lookup('s', 'k')") == "key_reused");
    CHECK(caller.run("select outcome from once.lookup('s', 'other')") == "absent");
    CHECK(caller.run("select outcome, once.complete('s', 't', null, null, null, null, null) "
                     "from once.try_claim('s', 't', null, '1 hour', '10 milliseconds')") == "started");
    server.run("update once.idempotency_record set expires_at = now() where key = 't'");
    CHECK(caller.run("select outcome from once.claim('s', 't', null, '1 hour', '0')") == "started");
    CHECK(caller.run("select outcome from once.claim('s', 't')") == "in_progress");
    caller.run("select once.complete('s', 't', null, null, null, null, null)");
    CHECK(caller.run("select outcome from once.claim('s', 't')") == "replayed");
    caller.run("select once.claim_or_abort('s', 'u')");
    CHECK(caller.run("select once.complete_with_row('s', 'u', 201, '{\"a\":1}')") == "{\"a\":1}");
    CHECK_THROWS_AS(caller.run("select once.claim_or_abort('s', 'u')"), pqxx::sql_error);
    for (int life = 0; life < 2; ++life) { // the second one takes over an expired record
        CHECK(
            caller.run("select once.begin_request('s', 'w'), once.finish_request('s', 'w', null, 201, null, "
                       "'application/json', '{\"a\":1}', null, '1 hour', '1 second')") == "");
        CHECK(caller.run("select (once.begin_request('s', 'w')).outcome") == "replayed");
        CHECK(
            caller.run(
                "select once.finish_request_with_row('s', 'x', null, 201, '{\"a\":1}', '1 hour', '1 second') "
                "from once.begin_request_or_abort('s', 'x')") == "{\"a\":1}");
        server.run("update once.idempotency_record set expires_at = now() where key in ('w', 'x')");
    }
    CHECK(caller.run("select once.current_service()") == server.caller.name());

    for (std::string const refused :
         {"once.claim('s', 'v', null, '1 millisecond')", "once.claim('s', 'v', null, '1 hour', '2 hours')",
          "once.claim_or_abort('s', 'u')", "once.complete('s', 'none', 200, null, null, '{}', null)",
          "once.complete('s', 'k', 200, null, null, null, null)",
          "once.complete_with_row('s', 'k', 200, null)", "once.begin_request(null, 'k')",
          "once.finish_request('s', 'y', null, 200, null, null, '1', null)",
          "once.finish_request_with_row('s', 'y', null, 200, null)"}) {
        INFO(refused);
        try {
            caller.run("select " + refused);
            FAIL_CHECK("it was not refused");
        } catch (pqxx::sql_error const& e) {
            CHECK(std::string{e.what()}.find("hostile") == std::string::npos);
        }
    }
    CHECK(server.ask("select string_agg(distinct service, ' ') from once.idempotency_record") ==
          server.caller.name());
}

TEST_CASE("nothing on the caller's search_path stands in for a name in the lookup of its groups",
          "[services]") {
    hostile_session const server;
    login_role const group{server, "group"};
    server.run("grant " + group.name() + " to " + server.caller.name() +
               "; insert into once.service_role (role, service) values ('" + group.name() +
               "', 'shop'); grant execute on function once.service_by_membership() to " + group.name());
    caller_session caller{server};
    CHECK(caller.run("select once.current_service()") == "shop");
    CHECK(caller.run("select outcome from once.claim('s', 'k')") == "started");
    CHECK(caller.run("select outcome from once.lookup('s', 'k')") == "in_progress");
    CHECK(server.ask("select string_agg(service, ' ') from once.idempotency_record") == "shop");
}

TEST_CASE("the traps of the test above catch a function that leaves out a schema", "[services]") {
    hostile_session const server;
    caller_session caller{server};
    for (std::string const careless :
         {"once.careless_operator('y')", "once.careless_function()", "once.careless_type()"}) {
        INFO(careless);
        try {
            caller.run("select " + careless);
            FAIL_CHECK("the caller did not get in");
        } catch (pqxx::sql_error const& e) {
            CHECK(std::string{e.what()}.find("hostile") != std::string::npos);
        }
    }
    CHECK(caller.run("select once.careless_table()") == "1");
}

TEST_CASE("no privileged function meets a temporary object or a name of its caller, whichever is called",
          "[services]") {
    hostile_session const server;
    server.run("drop function once.careless_operator, once.careless_function, once.careless_type, "
               "once.careless_table");
    server.run("grant execute on all functions in schema once to " + server.caller.name());
    pqxx::connection caller{server.caller.dsn()};
    auto const run = [&](std::string const& sql) { return pqxx::nontransaction{caller}.exec(sql); };
    pqxx::connection owner{server.dsn()};
    auto const list = [&](char const* sql) { return pqxx::nontransaction{owner}.exec(sql); };
    // A stand-in for each table, view and sequence: reading it raises an error, writing it is not possible.
    auto const relations = list("select relname from pg_class where relnamespace = 'once'::regnamespace "
                                "and relkind in ('r', 'p', 'v', 'S')");
    for (auto const& row : relations) {
        run("create temporary view " + std::string{row[0].c_str()} +
            " as select hostile.refuse() as refused");
    }
    run("set search_path = hostile, pg_temp, pg_catalog");

    auto const calls = list(all_calls);
    int worked = 0;
    // Twice, so that what the first round made is there for the second.
    for (int round = 0; round < 2; ++round) {
        for (auto const& row : calls) {
            std::string const call = row[0].c_str();
            INFO(call);
            try {
                run(call);
                ++worked;
            } catch (pqxx::insufficient_privilege const&) { // libpqxx 7 drops the SQLSTATE of this one
                continue;
            } catch (pqxx::sql_error const& e) {
                INFO(e.what());
                std::string_view const state{e.sqlstate()};
                CHECK(std::string{e.what()}.find("hostile") == std::string::npos);
                // No such column, table, function; not a table; not updatable: it has met one of ours.
                for (std::string const met : {"42703", "42P01", "42883", "42809", "55000"}) {
                    CHECK(state != met);
                }
            }
        }
    }
    CHECK(calls.size() > 100);
    CHECK(worked > 60);
    CHECK(server.ask("select string_agg(distinct service, ' ') from (select service from "
                     "once.idempotency_record union "
                     "select service from once.outbox union select service from once.lease union "
                     "select service from once.token union select service from once.subscription union "
                     "select service from once.inbox) as found") == server.caller.name());
}

TEST_CASE("a privileged function has its own search_path, or is one of those that the test above calls",
          "[services]") {
    effects_database const server;
    CHECK(server.ask("select string_agg(proname, ' ' order by proname collate \"C\") from pg_proc "
                     "where pronamespace = 'once'::regnamespace and prosecdef and not exists "
                     "(select from unnest(proconfig) as c where c = 'search_path=once, pg_temp')") ==
          "acknowledge begin_request begin_request_or_abort claim claim_or_abort complete complete_with_row "
          "fall_asleep finish_request finish_request_with_row lookup next_batch outbox_writers parked_due "
          "publish "
          "release_due try_claim");
}
