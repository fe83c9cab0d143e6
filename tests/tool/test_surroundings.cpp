// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command.hpp"
#include "exit_status.hpp"
#include "relay_database.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <regex>

using namespace once::testing;
namespace exit_status = once::command::exit_status;

namespace {

// What people set for a role, for a database, or in the environment, and what breaks what was not written with it in
// mind.
// Not standard_conforming_strings = off: services refuse such a database, and doctor tells. Nor what makes the planner
// compile everything: a busy machine then takes longer for the check of the schema than doctor waits.
std::vector<std::string> const hostile_settings{
    "default_transaction_isolation=serializable",
    "default_transaction_isolation='repeatable read'",
    "default_transaction_read_only=on",
    "default_transaction_deferrable=on",
    "statement_timeout=1000",
    "lock_timeout=1",
    "datestyle='SQL, DMY'",
    "datestyle='German'",
    "intervalstyle=sql_standard",
    "timezone='Asia/Kathmandu'",
    "bytea_output=escape",
    "extra_float_digits=-15",
    "quote_all_identifiers=on",
    "array_nulls=off",
    "transform_null_equals=on",
    "row_security=off",
    "check_function_bodies=off",
    "search_path='hostile, pg_catalog'",
    "client_encoding=LATIN1",
    "lc_messages=C",
};

// What differs from run to run: times, intervals, sizes of tables that grow, WAL.
std::string without_times(std::string text) {
    for (auto const* const one :
         {R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00)?)", R"((\d+ days? )?\d\d:\d\d:\d\d(\.\d+)?)",
          R"(\d+ ms)", R"(\d+ kB)", R"(once_table_bytes\{[^}]*\} \d+)", R"(_seconds(\{[^}]*\})? \S+)",
          R"(once_notification_queue_usage \S+)", R"(pid \d+)", R"( +)"}) {
        text = std::regex_replace(text, std::regex{one}, " ");
    }
    return text;
}

// A session that the defaults of the database do not bother.
class plain_session {
public:
    explicit plain_session(std::string const& dsn) : m_connection{dsn} {
        for (char const* const setting :
             {"default_transaction_read_only = off", "default_transaction_isolation = 'read committed'",
              "search_path = public", "client_encoding = 'UTF8'", "array_nulls = on", "statement_timeout = 0",
              "lock_timeout = 0", "jit = off"}) {
            exec(std::string{"set "} + setting);
        }
    }
    void exec(std::string const& text) { pqxx::nontransaction{m_connection}.exec(text); }

private:
    pqxx::connection m_connection;
};

// The database in one state, whatever ran before, and whatever its defaults are.
void reset(command_database<test_database> const& db) {
    plain_session session{db.dsn()};
    session.exec(
        R"(delete from once.idempotency_record; delete from once.parked_message; delete from once.subscription;
delete from once.checkpoint; delete from once.outbox; delete from once.outbox_identity;
select setval('once.outbox_id_seq', 1, false);
select once.subscribe('s');
select once.publish('orders.placed', 'Müller', '{"name":"Müller"}', p_content_type => 'application/json');
do $$ begin perform once.claim('POST /orders', 'k'); perform once.complete('POST /orders', 'k', 201, null,
    'application/json', '{"name":"Müller"}', null); end $$;)");
    // It reads first, so it has a transaction of its own.
    session.exec(
        R"(do $$ declare b text; i bigint; begin select max(batch::text), max(id) into b, i from once.next_batch('s');
    perform once.acknowledge('s', 0, b::once.batch, null, null, array[i], '{dead}',
        array['no such customer: Müller']); end $$)");
    session.exec("update once.parked_message set message_id = '5f0c0000-0000-4000-8000-000000000016'");
}

struct outcome {
    int status;
    std::string out;
    std::string err;
};

outcome run_program(std::vector<std::string> const& words, std::vector<std::string> const& variables) {
    once_program program{words, variables};
    int const status = program.wait();
    return {status, without_times(program.output()), without_times(program.log())};
}

std::vector<std::vector<std::string>> all_commands() {
    std::string const id = "5f0c0000-0000-4000-8000-000000000016";
    return {
        {"status"},
        {"status", "--json"},
        {"why"},
        {"why", "nosuch"},
        {"migrate", "status"},
        {"migrate", "up"},
        {"doctor"},
        {"metrics"},
        {"request", "show", "k", "--response"},
        {"request", "show", "k", "--response", "--json"},
        {"parked", "list"},
        {"parked", "list", "--json"},
        {"parked", "show", id},
        {"parked", "show", id, "--payload"},
        {"subscription", "list"},
        {"subscription", "pause", "s"},
        {"subscription", "resume", "s"},
        {"parked", "redrive", "s", id},
        {"parked", "discard", "s", id},
        {"purge", "--keep", "0 seconds"},
        {"subscription", "drop", "s", "--yes"},
        {"grant", "postgres", "inspector"},
        {"migrate", "print", "--from", "16"},
    };
}

} // namespace

TEST_CASE("every command gives the same answer under every default of role, database and environment",
          "[surroundings]") {
    command_database<test_database> const db;
    db.sql("create schema hostile; create function hostile.quote_ident(text) returns text language sql as "
           "'select ''nowhere''::text'; create function hostile.clock_timestamp() returns timestamptz "
           "language sql as "
           "'select ''infinity''::timestamptz'");
    auto const run_all = [&](std::vector<std::string> const& variables) {
        reset(db);
        std::vector<outcome> made;
        for (auto const& words : all_commands()) {
            made.push_back(run_program(words, variables));
        }
        return made;
    };
    auto const name = db.ask("select current_database()");
    std::vector<std::string> const plain{"ONCE_DATABASE=" + db.dsn()};
    auto const expected = run_all(plain);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO(all_commands()[i][0] << ": " << expected[i].err);
        CHECK((expected[i].status == exit_status::ok || expected[i].status == exit_status::found ||
               all_commands()[i][0] == "why"));
    }
    auto const compare = [&](std::string const& what, std::vector<outcome> const& got) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
            auto const words = all_commands()[i];
            CAPTURE(what, words);
            CHECK(got[i].status == expected[i].status);
            CHECK(got[i].out == expected[i].out);
            CHECK(got[i].err == expected[i].err);
        }
    };
    // All of the database at once, where of those that exclude each other the last one counts; then the environment.
    plain_session owner{db.dsn()};
    for (auto const& one : hostile_settings) {
        auto const equals = one.find('=');
        auto const key = one.substr(0, equals);
        auto value = one.substr(equals + 1);
        value = value.front() == '\'' ? value : "'" + value + "'";
        owner.exec("alter database " + name + " set " + key + " = " +
                   (key == "search_path" ? std::string{"hostile, pg_catalog"} : value));
    }
    compare("of the database", run_all(plain));
    owner.exec("alter database " + name + " reset all");
    compare(
        "PGOPTIONS",
        run_all(
            {"ONCE_DATABASE=" + db.dsn(),
             "PGOPTIONS=-c default_transaction_isolation=serializable -c default_transaction_read_only=on "
             "-c datestyle=SQL,DMY -c intervalstyle=iso_8601 -c statement_timeout=1000 -c lock_timeout=1",
             "PGCLIENTENCODING=LATIN1", "PGTZ=Asia/Kathmandu", "PGDATESTYLE=German", "LANG=tr_TR.UTF-8"}));
    compare("PGOPTIONS",
            run_all({"ONCE_DATABASE=" + db.dsn() + " client_encoding=LATIN1",
                     "PGOPTIONS=-c default_transaction_isolation=repeatable\\ read -c search_path=hostile"}));
}

TEST_CASE("a relay delivers under every default of role, database and environment that the library takes",
          "[surroundings]") {
    relay_database db;
    db.publish(10);
    auto const relayed = run_program(
        {"relay", "s", "--to", "jsonl", "--until-idle"},
        {db.variable(), "PGCLIENTENCODING=LATIN1", "PGDATESTYLE=German", "PGTZ=Asia/Kathmandu",
         "PGOPTIONS=-c default_transaction_isolation=serializable -c default_transaction_read_only=on -c "
         "intervalstyle=iso_8601 -c bytea_output=escape -c array_nulls=off -c statement_timeout=5000"});
    CAPTURE(relayed.err);
    CHECK(relayed.status == exit_status::ok);
    CHECK(std::ranges::count(relayed.out, '\n') == 10);
}

TEST_CASE("a schema is made the same under hostile defaults", "[surroundings]") {
    command_database<empty_database> const db;
    std::vector<std::string> const hostile{
        "ONCE_DATABASE=" + db.dsn(),
        "PGOPTIONS=-c default_transaction_isolation=serializable -c default_transaction_read_only=on -c "
        "quote_all_identifiers=on -c standard_conforming_strings=off -c check_function_bodies=off -c "
        "statement_timeout=1000 -c lock_timeout=1"};
    once_program up{{"migrate", "up", "--create-schema"}, hostile};
    CHECK(up.wait() == exit_status::ok);
    CAPTURE(up.log());
    for (auto const& finding : db.run({"doctor", "--json"}).json()) {
        CHECK(finding["what"].get<std::string>().starts_with("setting "));
    }
}
