// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>

#include "support/effects.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <string>
#include <vector>

using namespace once::testing;

namespace {

/// A database that is not like the others; dropped in the end.
class encoded_database {
public:
    encoded_database(empty_database const& sibling, std::string const& encoding)
        : m_admin_dsn{sibling.admin_dsn()},
          m_name{sibling.name() + "_encoded"},
          m_dsn{with_database(sibling.admin_dsn(), m_name)} {
        run(m_admin_dsn,
            "create database " + m_name + " template template0 locale 'C' encoding '" + encoding + "'");
    }
    ~encoded_database() {
        try {
            run(m_admin_dsn, "drop database " + m_name + " with (force)");
        } catch (std::exception const&) { // NOLINT(bugprone-empty-catch): the cluster's end removes it
        }
    }
    encoded_database(encoded_database const&) = delete;
    encoded_database& operator=(encoded_database const&) = delete;

    [[nodiscard]] std::string const& dsn() const { return m_dsn; }

private:
    std::string m_admin_dsn;
    std::string m_name;
    std::string m_dsn;
};

} // namespace

TEST_CASE("a database that is not in UTF-8 is refused by the name of its encoding", "[server]") {
    empty_database const sibling;
    for (std::string const encoding : {"SQL_ASCII", "LATIN1"}) {
        encoded_database const server{sibling, encoding};
        once::database db{server.dsn()};
        try {
            db.check();
            FAIL("accepted " << encoding);
        } catch (once::configuration_error const& e) {
            CHECK(std::string{e.what()}.find(encoding) != std::string::npos);
        }
        CHECK_THROWS_AS(once::execute(db, request_of("k"), [](once::transaction&) {}),
                        once::configuration_error);
    }
}

TEST_CASE("a database whose strings are not standard is refused, and used once that is fixed", "[server]") {
    effects_database const server;
    server.run("alter database " + server.name() + " set standard_conforming_strings = off");
    once::database db{server.dsn()};
    CHECK_THROWS_AS(db.check(), once::configuration_error);
    CHECK_THROWS_AS(once::execute(db, request_of("k"), {effect_statement()}), once::configuration_error);
    server.run("alter database " + server.name() + " set standard_conforming_strings = on");
    CHECK(once::execute(db, request_of("k"), {effect_statement()}).done());
    CHECK(server.effects() == 1);
}

TEST_CASE("upkeep works whatever the whole database is set to", "[server]") {
    for (std::string const setting :
         {"none", "publication", "row_security = off", "lock_timeout = '1ms'",
          "default_toast_compression = 'pglz'", "session_replication_role = 'replica'",
          "quote_all_identifiers = on", "search_path = 'pg_catalog'", "enable_indexscan = off",
          "jit_above_cost = 0", "max_parallel_workers_per_gather = 0", "default_transaction_deferrable = on",
          "synchronous_commit = off", "plpgsql.variable_conflict = 'use_column'",
          "plpgsql.extra_errors = 'all'", "default_tablespace = ''", "xmlbinary = 'hex'",
          "array_nulls = off"}) {
        INFO(setting);
        effects_database const server;
        if (setting == "publication") {
            server.run("create publication everything for all tables");
        } else if (setting != "none") {
            server.run("alter database " + server.name() + " set " + setting);
        }
        server.run(
            "select once.subscribe('reader'); select once.publish('t', 'k', '{}'); "
            "select once.claim('s', 'k', p_retention => '1 second', p_now => now() - interval '1 day'); "
            "select once.receive('c', gen_random_uuid(), p_now => now() - interval '366 days'); "
            "select once.issue_token('alice', 'pay', '1 second', now() - interval '1 day'); "
            "select once.acquire_lease('l', '1 second', p_now => now() - interval '400 days')");
        server.run("update once.subscription set system_identifier = 'another'");
        CHECK(server.ask("select to_deliver from once.rebase()") == "1");
        server.run("select once.unsubscribe('reader')"); // nobody needs the message any more
        CHECK(server.ask("select messages from once.trim_outbox('0', p_now => now() + interval '1 day')") ==
              "1");
        CHECK(server.ask("select once.purge()") == "1");
        for (std::string const job : {"purge_inbox()", "purge_tokens()", "purge_leases()",
                                      "purge_operations()", "purge_windows()", "expire_subscriptions()"}) {
            CHECK_NOTHROW(server.run("select once." + job));
        }
    }
}

TEST_CASE("odd settings of the database change no answer", "[server]") {
    once::response const made{.status = 201,
                              .headers = {{"H", "caf\xc3\xa9"}},
                              .body = once::body::bytes(std::string{"\0\xff\\x41\\000", 10}, "image/png")};
    once::response const json{.body = once::body::json_text(" { \"caf\xc3\xa9\" : 1.50 } ")};
    for (std::string const setting : {"datestyle = 'SQL, DMY'",
                                      "timezone = 'Asia/Kathmandu'",
                                      "bytea_output = 'escape'",
                                      "client_encoding = 'LATIN1'",
                                      "intervalstyle = 'sql_standard'",
                                      "extra_float_digits = -15",
                                      "search_path = 'pg_catalog'",
                                      "search_path = ''",
                                      "default_transaction_read_only = on",
                                      "default_transaction_isolation = 'serializable'",
                                      "default_transaction_deferrable = on",
                                      "lock_timeout = '1ms'",
                                      "array_nulls = off",
                                      "row_security = off",
                                      "transform_null_equals = on",
                                      "plan_cache_mode = 'force_generic_plan'",
                                      "jit_above_cost = 0",
                                      "default_toast_compression = 'pglz'",
                                      "xmlbinary = 'hex'",
                                      "backslash_quote = off",
                                      "quote_all_identifiers = on",
                                      "search_path = 'information_schema, pg_catalog'",
                                      "check_function_bodies = off",
                                      "enable_indexscan = off",
                                      "default_transaction_isolation = 'repeatable read'",
                                      "default_statistics_target = 1",
                                      "plpgsql.variable_conflict = 'use_variable'",
                                      "plpgsql.extra_errors = 'all'",
                                      "plpgsql.check_asserts = off",
                                      "lc_numeric = 'C'"}) {
        INFO(setting);
        effects_database const server;
        server.run("alter database " + server.name() + " set " + setting);
        once::database db{server.dsn()};
        for (auto const& [key, one] : {std::pair{"bytes", made}, std::pair{"json", json}}) {
            auto asked = request_of(key);
            asked.fingerprint = once::fingerprint{"\\x41", "caf\xc3\xa9"};
            auto const write = [&one](once::transaction& tx) {
                tx.exec("insert into public.effect (what) values ('x')");
                return one;
            };
            CHECK(once::execute(db, asked, write).response() == one);
            auto const repeat = once::execute(db, asked, write);
            CHECK(repeat.replayed());
            CHECK(repeat.response() == one);
        }
        std::vector<once::statement> const work{
            {"insert into public.effect (what) values ($1) returning what",
             once::parameters{"caf\xc3\xa9 \\x41"}}};
        auto const first = once::execute(db, request_of("p"), work);
        CHECK(first.as()["what"] == "caf\xc3\xa9 \\x41");
        CHECK(once::execute(db, request_of("p"), work).response() == first.response());
        CHECK(ask(server.admin_dsn(), "select 1") == "1");
    }
}
