// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "integration/every_function.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

/** @file
 * Times and durations that somebody gives: p_now is the operators' alone, and all of them are finite and within limits.
 */
using namespace once::testing;

namespace {

/// A service with a row of each kind under the names that the calls use, and the calls.
struct time_givers : effects_database {
    login_role service{*this, "service"};
    login_role administrator{*this, "administrator"};
    login_role janitor{*this, "janitor"};

    time_givers() {
        service.grant_use();
        run("grant once_administrator to " + administrator.name());
        run(make_probe);
        once::testing::run(service.dsn(), "select once.claim('s', 's', sha256('f')), once.subscribe('s'), once.acquire_lease('s', '1 hour')");
    }

    /// What comes of a call as `role`, which leaves nothing behind.
    [[nodiscard]] static std::string tried(login_role const& role, std::string const& call) {
        return tried(role.dsn(), call);
    }
    [[nodiscard]] static std::string tried(std::string const& dsn, std::string const& call) {
        return sqlstate_of([&] { once::testing::run(dsn, "begin; " + call + "; rollback"); });
    }
};

} // namespace

TEST_CASE("no service says what time it is, whatever it may call", "[services][input]") {
    time_givers const server;
    auto const calls = rows_of(server, "select probe.call_of(oid, '{\"p_now\": \"now()\"}') from probe.functions_of('producer', "
                                       "'consumer', 'inspector') where 'p_now' = any (proargnames)");
    for (auto const& row : calls) {
        INFO(row[0]);
        CHECK(server.tried(server.service, row[0]) == "42501");
    }
    CHECK(calls.size() >= 35);
}

TEST_CASE("every time of a function is p_now, or is named here and finite", "[services][input]") {
    time_givers const server;
    CHECK(server.ask("select string_agg(distinct f.proname || '.' || a.name, ' ' order by f.proname || '.' || a.name) "
                     "from probe.functions_of('producer', 'consumer', 'inspector', 'administrator') as f, "
                     "unnest(f.proargtypes::oid[], f.proargnames[1:f.pronargs]) as a (type, name) "
                     "where a.type in ('timestamptz'::regtype, 'timestamptz[]'::regtype, 'timestamp'::regtype, 'date'::regtype) "
                     "and a.name <> 'p_now'") == "is_wanted.p_published_at receive.p_sent_at receive_many.p_sent_at schedule.p_due_at");
    for (std::string const time : {"infinity", "-infinity"}) {
        for (std::string const& call :
             {"receive('c', gen_random_uuid(), p_sent_at => '" + time + "')",
              "receive_many('c', array[gen_random_uuid()], p_sent_at => '{" + time + "}')",
              "receive_many('c', array[gen_random_uuid(), gen_random_uuid()], p_sent_at => '{NULL," + time + "}')",
              "schedule('" + time + "', 't', p_json => '1')", "subscribe('other', p_from => '" + time + "')"}) {
            INFO(call);
            auto const answer = server.tried(server.service, "select once." + call);
            CHECK((answer == "22023" || answer == "23514"));
        }
    }
}

TEST_CASE("an operator says what time it is, and only a time that records can have", "[services][input]") {
    time_givers const server;
    server.run("grant usage on schema once to " + server.janitor.name() + "; grant execute on function once.purge to " +
               server.janitor.name());
    for (std::string const time : {"infinity", "-infinity", "1969-12-31", "10000-01-01", "294276-12-31", "4713-01-01 BC"}) {
        auto const calls = rows_of(server, "select probe.call_of(oid, '{\"p_now\": \"''" + time +
                                               "''\"}') from pg_proc where pronamespace = 'once'::regnamespace and "
                                               "prosecdef and 'p_now' = any (proargnames)");
        CHECK(calls.size() >= 40);
        for (auto const& row : calls) {
            INFO(row[0]);
            auto const answer = server.tried(server.dsn(), row[0]);
            // What finds no row of the superuser's own never looks at the time.
            CHECK((answer == "22023" || answer == "ON002" || (answer == "accepted" && row[0].find("lookup") != std::string::npos)));
        }
    }
    std::string const early = "select once.purge(p_now => now() + interval '1 day')";
    CHECK(server.tried(server.dsn(), early) == "accepted");
    CHECK(server.tried(server.administrator, early) == "accepted");
    CHECK(server.tried(server.janitor, "select once.purge()") == "accepted");
    CHECK(server.tried(server.janitor, early) == "42501");
}

TEST_CASE("no duration of any function can be negative or without end", "[services][input]") {
    time_givers const server;
    auto const places = rows_of(server, "select f.oid, a.name, f.proname from probe.functions_of('producer', 'consumer', 'inspector', "
                                        "'administrator') as f, unnest(f.proargtypes::oid[], f.proargnames[1:f.pronargs]) as a "
                                        "(type, name) where a.type = 'interval'::regtype");
    CHECK(places.size() >= 35);
    std::vector<std::string> durations{"-1 second", "-178000000 years", "178000000 years", "100000 days"};
    if (server.ask("select current_setting('server_version_num')::integer >= 170000") == "t") {
        durations.insert(durations.end(), {"infinity", "-infinity"});
    }
    for (auto const& place : places) {
        for (auto const& duration : durations) {
            auto const call = server.ask("select probe.call_of(" + place[0] + ", jsonb_build_object('" + place[1] + "', '''" + duration +
                                         "'''))");
            INFO(call);
            auto const answer = server.tried(server.dsn(), call);
            CHECK((answer == "22023" || (place[2] == "subscribe" && answer == "23514")));
        }
    }
}
