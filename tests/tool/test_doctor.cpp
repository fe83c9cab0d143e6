// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each thing that doctor finds, or must not find.
//
// doctor is silent on every healthy schema, finds what is not, and what it prints runs.
#include <once/database.hpp>
#include <once/migrations.hpp>

#include "command.hpp"
#include "exit_status.hpp"
#include "support/effects.hpp"
#include "support/migrations_folder.hpp"
#include "support/shell.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using once::testing::command_database;
using once::testing::effects_database;
using once::testing::empty_database;
using once::testing::migrate;
using once::testing::run_command;
using once::testing::run_in_shell;
using once::testing::shell_quoted;
namespace exit_status = once::command::exit_status;

namespace {

/// What doctor says of the schema, one line for each finding. The settings of the throw-away server are not its matter.
std::string ailments(std::string const& dsn, std::string const& schema = "once") {
    auto const done = run_command({"--database", dsn, "--schema", schema, "doctor", "--json"});
    if (done.status != exit_status::ok && done.status != exit_status::found) {
        return "doctor failed: " + done.err;
    }
    std::string lines;
    for (auto const& finding : done.json()) {
        auto const what = finding["what"].get<std::string>();
        if (!what.starts_with("setting ")) {
            lines += what + ": " + finding["why"].get<std::string>() + '\n';
        }
    }
    return lines;
}

/// What doctor prints for people to run, as they run it; without the settings.
once::testing::shell_result run_what_it_prints(std::string const& dsn, std::string const& schema = "once") {
    auto sql = run_command({"--database", dsn, "--schema", schema, "doctor", "--sql"}).out;
    sql.resize(std::min(sql.find("-- setting "), sql.size()));
    auto const file =
        std::filesystem::temp_directory_path() / ("once_doctor_" + std::to_string(::getpid()) + ".sql");
    std::ofstream{file} << sql;
    auto done = run_in_shell("psql -X -q -v ON_ERROR_STOP=1 -d " + shell_quoted(dsn) + " -f " +
                             shell_quoted(file.string()));
    std::filesystem::remove(file);
    return done;
}

/// Roles that a test makes; they go with it.
class made_roles {
public:
    made_roles(effects_database const& server, std::vector<std::string> names)
        : m_server{server}, m_names{std::move(names)} {}
    ~made_roles() {
        for (auto const& name : m_names) {
            try {
                m_server.run("drop owned by " + name + " cascade");
                m_server.run("drop role " + name);
            } catch (std::exception const& e) {
                std::fprintf(stderr, "role %s stays behind: %s\n", name.c_str(), e.what());
            }
        }
    }
    made_roles(made_roles const&) = delete;
    made_roles& operator=(made_roles const&) = delete;

private:
    effects_database const& m_server;
    std::vector<std::string> m_names;
};

/// The group roles of a schema that only this test has.
std::vector<std::string> groups_of(std::string const& schema) {
    return {schema + "_administrator", schema + "_inspector", schema + "_producer", schema + "_consumer"};
}

std::string quoted(std::string const& name) {
    return '"' + name + '"';
}

/// A pg_dump that can read this server: its own, or the one of the PATH if that is not older. Some builds of the server
/// come without one.
std::string pg_dump_for(effects_database const& server) {
    auto const own = server.ask("select setting from pg_config where name = 'BINDIR'") + "/pg_dump";
    if (std::filesystem::exists(own)) {
        return own;
    }
    auto const here = run_in_shell("pg_dump --version | grep -m 1 -oE '[0-9]+' | head -n 1");
    auto const version =
        std::stoi(server.ask("select current_setting('server_version_num')::integer / 10000"));
    if (here.status != 0 || here.output.empty() || std::stoi(here.output) < version) {
        SKIP("NO PG_DUMP: neither " << own << " nor in the PATH one for a server of version " << version);
    }
    return "pg_dump";
}

/// A copy of a database by pg_dump with these options, in each step.
void copy(std::string const& pg_dump, std::string const& from, std::string const& to,
          std::vector<std::string> const& steps) {
    for (auto const& options : steps) {
        auto const done =
            run_in_shell("file=$(mktemp) && " + pg_dump + ' ' + options + " -f \"$file\" -d " +
                         shell_quoted(from) + " && psql -X -q -v ON_ERROR_STOP=1 -d " + shell_quoted(to) +
                         " -f \"$file\" >/dev/null; status=$?; rm -f \"$file\"; exit $status");
        INFO(options << ": " << done.output);
        REQUIRE(done.status == 0);
    }
}

/// Some of everything that a restore has to bring along.
constexpr auto some_data =
    "select once.subscribe('billing'); select once.publish('orders.placed', 'k', '{}'); "
    "select once.claim('s', 'k'); select once.receive('c', gen_random_uuid()); "
    "select once.acquire_lease('l', '1 minute')";

} // namespace

TEST_CASE("doctor finds rows of service_role that the functions do not know, and what it prints tells them",
          "[command][doctor]") {
    effects_database const server;
    server.run("insert into once.service_role (role, service) values ('known', 'shop')");
    CHECK(ailments(server.dsn()) == "");
    server.run("alter table once.service_role disable trigger user; "
               "insert into once.service_role (role, service) values ('unknown', 'shop'); "
               "alter table once.service_role enable trigger user");
    CHECK(ailments(server.dsn()).find("service_role was changed without its trigger") != std::string::npos);
    CHECK(run_what_it_prints(server.dsn()).status == 0);
    CHECK(ailments(server.dsn()) == "");
    CHECK(server.ask("select once.mapped_service('unknown')") == "shop");
}

TEST_CASE("doctor finds records that no function can have written", "[command][doctor]") {
    effects_database const server;
    constexpr auto whole =
        "select once.claim('test', 'k'); select once.complete('test', 'k', null, null, null, null, null)";
    server.run(whole);
    CHECK(ailments(server.dsn()) == "");
    for (char const* const change :
         {"scope = ' test'", "key = repeat('k', 256)", "fingerprint = 'short'", "response_status = 200",
          "response_json = '1'", "response_status = 99, response_json = '1'"}) {
        INFO(change);
        server.run(std::string{"delete from once.idempotency_record; "} + whole);
        server.run(std::string{"update once.idempotency_record set "} + change);
        CHECK(ailments(server.dsn()).find("1 records of idempotency_record") != std::string::npos);
    }
}

TEST_CASE("doctor finds messages and checkpoints that no function can have written", "[command][doctor]") {
    effects_database const server;
    constexpr auto whole = "select once.subscribe('s'); select once.publish('t', 'k', '1')";
    server.run(whole);
    CHECK(ailments(server.dsn()) == "");
    for (char const* const change :
         {"topic = 't..'", "key = ''", "traceparent = '00'", "content_type = ' '", "headers = '{}'",
          "payload_json = null", "payload_bytes = ''", "bucket = bucket + 1"}) {
        INFO(change);
        server.run(std::string{"delete from once.outbox; "} + whole);
        server.run(std::string{"update once.outbox set "} + change);
        CHECK(ailments(server.dsn()).find("1 messages of outbox") != std::string::npos);
    }
    server.run("delete from once.outbox");
    for (char const* const change : {"messages = -1", "messages = 0, to_id = 1"}) {
        INFO(change);
        server.run(std::string{"update once.checkpoint set "} + change);
        CHECK(ailments(server.dsn()).find("1 checkpoints break") != std::string::npos);
    }
}

TEST_CASE("doctor is silent after an installation under any schema name", "[command][doctor]") {
    effects_database const server;
    CHECK(ailments(server.dsn()) == "");
    auto const longest = "n" + server.name() + std::string(48 - server.name().size(), 'x');
    for (auto const& schema : {std::string{"user"}, longest}) {
        INFO(schema);
        migrate(server.dsn(), quoted(schema));
        made_roles const groups{server, schema == "user" ? std::vector<std::string>{} : groups_of(schema)};
        CHECK(ailments(server.dsn(), schema) == "");
        server.run("alter table " + quoted(schema) + ".lease set unlogged");
        CHECK_THAT(ailments(server.dsn(), schema), ContainsSubstring("table lease was altered"));
        auto const fixed = run_what_it_prints(server.dsn(), schema);
        INFO(fixed.output);
        CHECK(fixed.status == 0);
        CHECK(ailments(server.dsn(), schema) == "");
    }
}

TEST_CASE("doctor is silent after a dump, a restore and rebase(), and after a copy of schema and rows",
          "[command][doctor]") {
    effects_database const server;
    auto const pg_dump = pg_dump_for(server);
    server.run(some_data);
    for (std::vector<std::string> const& steps :
         {std::vector<std::string>{""},
          std::vector<std::string>{"--schema-only", "--data-only --disable-triggers"},
          std::vector<std::string>{"--section=pre-data", "--section=data", "--section=post-data"}}) {
        empty_database const restored;
        copy(pg_dump, server.dsn(), restored.dsn(), steps);
        // The same cluster has the same identifier; another one has not.
        once::testing::run(restored.dsn(), "update once.subscription set system_identifier = 'another'");
        CHECK(once::testing::ask(restored.dsn(), "select to_deliver from once.rebase()") == "1");
        CHECK(ailments(restored.dsn()) == "");
        empty_database const again;
        copy(pg_dump, restored.dsn(), again.dsn(), {""});
        CHECK(ailments(again.dsn()) == "");
    }
}

TEST_CASE("doctor is silent with every role that the manual sets up", "[command][doctor]") {
    effects_database const server;
    std::ifstream const file{ONCE_SOURCE_DIR "/docs/queries/grants.sql"};
    std::ostringstream text;
    text << file.rdbuf();
    std::vector<std::string> names;
    std::string sql = text.str();
    std::regex const made{"create role ([a-z_]+)"};
    for (auto at = std::sregex_iterator{sql.begin(), sql.end(), made}; at != std::sregex_iterator{}; ++at) {
        names.push_back((*at)[1]);
    }
    REQUIRE(names.size() >= 7);
    std::vector<std::string> own;
    for (auto const& name : names) {
        sql = std::regex_replace(sql, std::regex{"\\b" + name + "\\b"}, name + "_of_" + server.name());
        own.push_back(name + "_of_" + server.name());
    }
    made_roles const roles{server, own};
    server.run(sql);
    for (auto const& name : own) {
        if (server.ask("select rolcanlogin and pg_has_role(oid, 'once_producer', 'usage') from pg_roles "
                       "where rolname = '" +
                       name + "'") == "t") {
            once::testing::run(server.dsn() + " user=" + name, "select once.claim('s', 'k')");
        }
    }
    CHECK(server.ask("select count(*) from once.idempotency_record") != "0");
    CHECK(ailments(server.dsn()) == "");
}

TEST_CASE("doctor is silent whatever the settings of the database are", "[command][doctor]") {
    effects_database const server;
    for (std::vector<std::string> const& settings :
         {std::vector<std::string>{"quote_all_identifiers = on", "search_path = 'once'",
                                   "datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'",
                                   "timezone = 'Asia/Kathmandu'"},
          std::vector<std::string>{"search_path = 'information_schema, pg_catalog'",
                                   "bytea_output = 'escape'", "extra_float_digits = 0",
                                   "check_function_bodies = off", "array_nulls = off",
                                   "client_min_messages = 'debug1'", "plpgsql.extra_errors = 'all'"}}) {
        INFO(settings.front());
        // Before the schema is made, and after.
        empty_database const other;
        for (auto const& database : {server.name(), other.name()}) {
            for (auto const& setting : settings) {
                once::testing::run(server.admin_dsn(), "alter database " + database + " set " + setting);
            }
        }
        migrate(other.dsn(), "once");
        CHECK(ailments(server.dsn()) == "");
        CHECK(ailments(other.dsn()) == "");
        for (auto const& database : {server.name(), other.name()}) {
            once::testing::run(server.admin_dsn(), "alter database " + database + " reset all");
        }
        CHECK(ailments(other.dsn()) == "");
    }
}

TEST_CASE("doctor makes no role and needs no right to make one", "[command][doctor]") {
    effects_database const server;
    auto const owner = server.name() + "_owner";
    auto const schema = "d_" + server.name();
    auto groups = groups_of(schema);
    server.run("create role " + owner + " login; create schema " + schema + " authorization " + owner);
    server.run("grant create on database " + server.name() + " to " + owner);
    for (auto const& group : groups) {
        server.run("create role " + group);
    }
    server.run("grant " + schema + "_inspector to " + schema + "_administrator");
    groups.insert(groups.begin(), owner);
    made_roles const roles{server, groups};
    auto const dsn = server.dsn() + " user=" + owner;
    REQUIRE(run_command({"--database", dsn, "--schema", schema, "migrate", "up"}).status == exit_status::ok);
    auto const before = server.ask("select count(*) from pg_roles where rolname like 'once\\_doctor%'");
    CHECK(ailments(dsn, schema) == "");
    CHECK(server.ask("select count(*) from pg_roles where rolname like 'once\\_doctor%'") == before);
}

TEST_CASE("doctor names rights that somebody else was given, and its SQL takes them back",
          "[command][doctor]") {
    effects_database const server;
    auto const anon = server.name() + "_anon";
    server.run("create role " + anon);
    made_roles const roles{server, {anon}};
    for (auto const& [sql, named] : std::vector<std::pair<std::string, std::string>>{
             {"grant all on all tables in schema once to " + anon, "on table once."},
             {"grant execute on all functions in schema once to " + anon, "execute on function once."},
             {"grant update on all sequences in schema once to " + anon, "update on sequence once.outbox"},
             {"grant create on schema once to " + anon, "create on schema once"},
             {"grant select (payload_json) on once.outbox to " + anon,
              "select on table once.outbox.payload_json"},
             {"grant select on once.metrics to public", "select on table once.metrics"},
             {"grant execute on function once.purge to public", "execute on function once.purge("},
             {"grant select on once.outbox to once_inspector", "select on table once.outbox"}}) {
        INFO(sql);
        server.run(sql);
        auto const found = ailments(server.dsn());
        CHECK_THAT(found,
                   ContainsSubstring("rights that the schema does not give") && ContainsSubstring(named));
        auto const fixed = run_what_it_prints(server.dsn());
        INFO(fixed.output);
        CHECK(fixed.status == 0);
        CHECK(ailments(server.dsn()) == "");
    }
    server.run("revoke execute on function once.try_claim from once_producer");
    server.run("revoke select (topic) on once.outbox from once_inspector");
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("role once_producer lacks 1 of its rights") &&
                                           ContainsSubstring("once.outbox.topic"));
    CHECK(run_what_it_prints(server.dsn()).status == 0);
    CHECK(ailments(server.dsn()) == "");
}

TEST_CASE("doctor names a changed owner and a publication without identity, and its SQL fixes both",
          "[command][doctor]") {
    effects_database const server;
    auto const other = server.name() + "_other";
    server.run("create role " + other);
    made_roles const roles{server, {other}};
    server.run("alter function once.purge(integer, timestamptz) owner to " + other +
               "; alter table once.lease owner to " + other + "; alter view once.metrics owner to " + other);
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("table once.lease belongs to " + other) &&
                                           ContainsSubstring("view once.metrics belongs to") &&
                                           ContainsSubstring("function once.purge("));
    CHECK(run_what_it_prints(server.dsn()).status == 0);
    CHECK(ailments(server.dsn()) == "");

    server.run("create publication everything for all tables");
    CHECK(ailments(server.dsn()) == "");
    server.run("alter table once.outbox_3 replica identity default; alter table once.lease replica identity "
               "nothing");
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("publishes table once.outbox_3") &&
                                           ContainsSubstring("publishes table once.lease"));
    CHECK(run_what_it_prints(server.dsn()).status == 0);
    CHECK(ailments(server.dsn()) == "");
}

TEST_CASE(
    "doctor names login roles of one group that are services of their own, until somebody says what they are",
    "[command][doctor]") {
    effects_database const server;
    auto const role = [&](std::string const& name) { return server.name() + '_' + name; };
    server.run("create role " + role("orders") + "; grant once_producer to " + role("orders") +
               "; create role " + role("monday") + " login in role " + role("orders") + "; create role " +
               role("tuesday") + " login in role " + role("orders"));
    made_roles const roles{server, {role("monday"), role("tuesday"), role("orders")}};
    once::testing::run(server.dsn() + " user=" + role("monday"), "select once.claim('s', 'k')");
    CHECK(ailments(server.dsn()) == "");
    once::testing::run(server.dsn() + " user=" + role("tuesday"), "select once.claim('s', 'k')");
    CHECK_THAT(ailments(server.dsn()),
               ContainsSubstring("login roles " + role("monday") + ", " + role("tuesday") + " of the group " +
                                 role("orders")));
    SECTION("one service") {
        server.run("insert into once.service_role (role, service) values ('" + role("orders") +
                   "', 'orders'); "
                   "grant execute on function once.service_by_membership() to " +
                   role("orders"));
    }
    SECTION("two services") {
        server.run("insert into once.service_role (role, service) select r, r from unnest(array['" +
                   role("monday") + "', '" + role("tuesday") + "']) as r");
    }
    CHECK(ailments(server.dsn()) == "");
}

TEST_CASE("doctor finds whatever was altered, and its SQL leaves nothing to find", "[command][doctor]") {
    effects_database const server;
    for (auto const& [sql, named] : std::vector<std::pair<std::string, std::string>>{
             {"alter table once.idempotency_record set unlogged", "table idempotency_record was altered"},
             {"alter table once.token enable row level security", "table token was altered"},
             {"alter table once.lease set (fillfactor = 100)", "table lease was altered"},
             {"alter table once.lease drop constraint lease_pkey", "constraint lease.lease_pkey is missing"},
             {"alter table once.subscription drop constraint subscription_backoff_valid, "
              "add constraint subscription_backoff_valid check (backoff_cap > backoff_base)",
              "constraint subscription.subscription_backoff_valid was altered"},
             {"drop index once.outbox_txid_idx", "index outbox_txid_idx is missing"},
             {"drop index once.idempotency_record_expiry_idx; "
              "create index idempotency_record_expiry_idx on once.idempotency_record (claimed_at)",
              "index idempotency_record_expiry_idx was altered"},
             {"alter sequence once.outbox_id_seq cache 20 cycle", "sequence outbox_id_seq was altered"},
             {"alter function once.purge_leases reset search_path", "function once.purge_leases("},
             {"alter function once.purge_tokens set search_path = public", "function once.purge_tokens("},
             {"create or replace function once.wake_channel() returns text language sql as 'select "
              "''x''::text'",
              "function once.wake_channel() was altered"},
             {"drop view once.metrics", "view metrics is missing"},
             {"alter domain once.message_topic drop constraint message_topic_valid",
              "message_topic_valid is missing"}}) {
        INFO(sql);
        server.run(sql);
        CHECK_THAT(ailments(server.dsn()), ContainsSubstring(named));
        auto const fixed = run_what_it_prints(server.dsn());
        INFO(fixed.output);
        CHECK(fixed.status == 0);
        CHECK(ailments(server.dsn()) == "");
    }
}

TEST_CASE("doctor finds a type whose words were changed or became more", "[command][doctor]") {
    effects_database const server;
    server.run("alter type once.receipt rename value 'seen' to 'known'");
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("enum receipt was altered"));
    server.run("alter type once.receipt rename value 'known' to 'seen'");
    CHECK(ailments(server.dsn()) == "");
    server.run("alter type once.operation_state add value 'asleep' before 'failed'");
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("enum operation_state was altered"));
}

TEST_CASE("doctor sees what an event trigger did to every schema, also to the one that it compares with",
          "[command][doctor]") {
    empty_database const server;
    once::testing::run(server.dsn(), R"sql(
        create function protect_all() returns event_trigger language plpgsql as $$
        declare v record;
        begin
            for v in select * from pg_event_trigger_ddl_commands() where object_type = 'table' loop
                execute format('alter table %s enable row level security', v.object_identity);
            end loop;
        end $$;
        create event trigger protect_all on ddl_command_end when tag in ('CREATE TABLE')
            execute function protect_all())sql");
    migrate(server.dsn(), "once");
    CHECK_THAT(ailments(server.dsn()), ContainsSubstring("services refuse this schema") &&
                                           ContainsSubstring("table idempotency_record has row security"));
}

TEST_CASE("doctor says which right it lacks to make the schema that it compares with", "[command][doctor]") {
    effects_database const server;
    auto const owner = server.name() + "_owner";
    server.run("create role " + owner + " login in role once_administrator");
    made_roles const roles{server, {owner}};
    auto const done = run_command({"--database", server.dsn() + " user=" + owner, "doctor"});
    CHECK(done.status != exit_status::ok);
    CHECK_THAT(done.err, ContainsSubstring("grant create on database " + server.name() + " to " + owner));
}

TEST_CASE("a schema that was renamed, or restored under another name, works after what doctor prints",
          "[command][doctor]") {
    effects_database const server;
    server.run(some_data);
    auto const schema = "r_" + server.name();
    server.run("alter schema once rename to " + schema);
    made_roles const groups{server, groups_of(schema)};
    CHECK(ailments(server.dsn(), schema) != "");
    auto const fixed = run_what_it_prints(server.dsn(), schema);
    INFO(fixed.output);
    CHECK(fixed.status == 0);
    CHECK(ailments(server.dsn(), schema) == "");
    CHECK_NOTHROW(once::database{server.dsn(), {.schema = schema}}.check());
    CHECK(server.ask("select outcome from " + schema + ".claim('s', 'k')") == "in_progress");
    CHECK(server.ask("select outcome from " + schema + ".claim('s', 'new')") == "started");
    CHECK(server.ask("select count(message_id) from " + schema + ".next_batch('billing')") == "1");
}
