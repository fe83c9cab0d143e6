// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/migrations.hpp>

#include "command.hpp"
#include "exit_status.hpp"
#include "failure.hpp"
#include "printable.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <iterator>
#include <regex>
#include <sstream>
#include <sys/wait.h>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

namespace {

// Every command, as its words.
std::vector<std::vector<std::string>> every_command() {
    auto const script = run_command({"completion"}).out;
    static std::regex const line{"'([a-z ]*)'\\) words="};
    std::vector<std::vector<std::string>> made;
    for (std::sregex_iterator at{script.begin(), script.end(), line}, end; at != end; ++at) {
        std::istringstream words{(*at)[1].str()};
        made.emplace_back(std::istream_iterator<std::string>{words}, std::istream_iterator<std::string>{});
    }
    return made;
}

} // namespace

TEST_CASE("help fits 80 columns for every command, and shows examples", "[help]") {
    auto const commands = every_command();
    CHECK(commands.size() > 20);
    for (auto words : commands) {
        CAPTURE(words);
        words.insert(words.begin(), "help");
        auto const help = run_command(words);
        CHECK(help.status == exit_status::ok);
        for (auto const& line : lines_of(help.out)) {
            INFO(line);
            CHECK(once::command::columns_of(line) <= 80);
        }
        CHECK_THAT(help.out, ContainsSubstring("Example") && ContainsSubstring("Usage: once"));
        words.erase(words.begin());
        words.emplace_back("--help");
        CHECK(run_command(words).out == help.out);
    }
}

TEST_CASE("every example in the help is a command line that is understood", "[help]") {
    int count = 0;
    for (auto words : every_command()) {
        words.insert(words.begin(), "help");
        for (auto const& line : lines_of(run_command(words).out)) {
            if (!line.starts_with("  once ")) {
                continue;
            }
            // A shell takes it apart; the server is not there, and the load of a bench and a server are not wanted.
            auto const words_of_line =
                line.substr(7) + (line.find("--listen") == std::string::npos ? "" : "x");
            auto const command = "exec " ONCE_COMMAND " " + words_of_line;
            child_process shell{{"/usr/bin/env", "PGHOST=/nowhere", "ONCE_DATABASE=host=/nowhere", "/bin/sh",
                                 "-c", command + " 2>&1"}};
            auto const ending = shell.wait();
            INFO(line << ": " << ending.output);
            REQUIRE(WIFEXITED(ending.status));
            int const status = WEXITSTATUS(ending.status);
            bool const listens =
                line.find("--listen") != std::string::npos; // refused at its port, which it has read
            CHECK((status == exit_status::ok || status == exit_status::unreachable ||
                   (listens && ending.output.find("give HOST:PORT") != std::string::npos)));
            ++count;
        }
    }
    CHECK(count > 30);
}

TEST_CASE("a typo, nothing at all and help are three different texts", "[help]") {
    auto const typo = run_command({"statsu"});
    CHECK(typo.status == exit_status::usage);
    CHECK_THAT(typo.err, ContainsSubstring("has no command \"statsu\"; did you mean once status?"));
    auto const nothing = run_command({});
    CHECK(nothing.status == exit_status::usage);
    CHECK_THAT(nothing.err, ContainsSubstring("once help"));
    auto const help = run_command({"help"});
    CHECK(help.status == exit_status::ok);
    CHECK_THAT(help.out, ContainsSubstring("Commands:"));
    CHECK(help.err.empty());
}

TEST_CASE("what is not known is told with what was probably meant", "[help]") {
    struct meant {
        std::vector<std::string> words;
        std::string says;
    };
    for (auto const& [words, says] : std::vector<meant>{
             {{"parked", "lst"}, "did you mean once parked list?"},
             {{"subscripton"}, "did you mean once subscription?"},
             {{"docotr"}, "did you mean once doctor?"},
             {{"xyzzy"}, "There are migrate, status"},
             {{"migrate"}, "once migrate: what? up, down, status or print"},
             {{"migrate", "upp"}, "did you mean once migrate up?"},
             {{"--shema", "x", "status"}, "did you mean --schema?"},
             {{"parked", "list", "--stat", "dead"}, "did you mean --state?"},
             {{"relay", "s", "--batch-message", "3"}, "did you mean --batch-messages?"},
             {{"help", "statsu"}, "did you mean once status?"},
             {{"relay", "s", "--to", "jsonl", "--lease", "15"},
              "15 of what? Give the unit, too, for example 15s"},
             {{"relay", "s", "--to", "jsonl", "--lease", "15 fortnights"}, "the unit is ms, s, min, h or d"},
             {{"relay", "s", "--to", "jsonl", "--lease", "soon"}, "give a number with a unit"},
             {{"request", "show"}, "See once request show --help"},
         }) {
        CAPTURE(words);
        auto const result = run_command(words);
        CHECK(result.status == exit_status::usage);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK(result.out.empty());
    }
}

TEST_CASE("migrate up ends with one line that says where the schema is now", "[help]") {
    command_database<empty_database> const db;
    auto const lines = lines_of(db.run({"migrate", "up", "--create-schema"}).out);
    auto const newest = std::to_string(once::migrations().back().version);
    REQUIRE(lines.size() == once::migrations().size() + 1);
    CHECK_THAT(lines.back(), ContainsSubstring("the schema is at version " + newest + ": " + newest +
                                               " files applied in "));
    CHECK(lines_of(db.run({"migrate", "up"}).out).size() == 1);
}

// More than 60 lines: a table of mistakes.
TEST_CASE("a mistake in the set-up is told as a sentence with what to do, never as raw SQL", "[help]") {
    command_database<empty_database> const empty;
    auto const check = [](command_result const& result, int status, std::string const& says) {
        INFO(result.err);
        CHECK(result.status == status);
        CHECK_THAT(result.err, ContainsSubstring(says));
        CHECK_THAT(result.err, !ContainsSubstring("ERROR:") && !ContainsSubstring("LINE 1") &&
                                   !ContainsSubstring("FATAL"));
        CHECK(result.out.empty());
    };
    // 1: no schema. 2: a schema without tables. 3: under another name. 4: older than this command. 5: newer.
    for (auto const& words : std::vector<std::vector<std::string>>{{"status"},
                                                                   {"why"},
                                                                   {"parked", "list"},
                                                                   {"request", "show", "k"},
                                                                   {"metrics"},
                                                                   {"subscription", "list"},
                                                                   {"tail"}}) {
        check(empty.run(words), exit_status::not_found,
              "has no schema \"once\"; apply it: once migrate up --create-schema");
    }
    empty.sql("create schema once");
    check(empty.run({"status"}), exit_status::not_found,
          "holds nothing of the library; apply it: once migrate up");
    REQUIRE(empty.run({"-s", "billing", "migrate", "up", "--create-schema", "--to", "5"}).status ==
            exit_status::ok);
    check(empty.run({"status"}), exit_status::not_found,
          "it is in schema \"billing\" there: name it with --schema");
    check(empty.run({"-s", "billing", "status"}), exit_status::refused,
          "is at version 5, this command needs " + std::to_string(once::migrations().back().version) +
              "; apply what is missing: once -s billing migrate up");
    empty.sql("alter table billing.schema_version drop constraint schema_version_in_order");
    empty.sql("insert into billing.schema_version (version, name) values (999, 'later')");
    check(empty.run({"-s", "billing", "status"}), exit_status::refused, "newer than this command knows");
    // 6: rights.
    command_database<test_database> const db;
    auto const role = db.ask("select current_database() || '_nobody'");
    db.sql("create role " + role + " login");
    auto const as_nobody = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"--database", db.dsn() + " user=" + role});
        return run_command(words);
    };
    check(as_nobody({"status"}), exit_status::refused, "once grant " + role + " inspector --apply");
    auto const purged = as_nobody({"purge"});
    CHECK(purged.status == exit_status::refused);
    CHECK_THAT(purged.err, ContainsSubstring("some jobs failed") &&
                               ContainsSubstring("once grant " + role + " administrator --apply") &&
                               !ContainsSubstring("ERROR:"));
    check(as_nobody({"parked", "redrive", "s"}), exit_status::refused, "may not do this");
    db.sql("grant once_inspector to " + role);
    CHECK(as_nobody({"status"}).status == exit_status::ok);
    check(as_nobody({"tail"}), exit_status::refused, "once grant " + role + " administrator --apply");
    check(as_nobody({"request", "show", "k", "--response"}), exit_status::refused, "administrator --apply");
    // What is advised helps.
    CHECK(db.run({"grant", role, "administrator", "--apply"}).status == exit_status::ok);
    CHECK(as_nobody({"request", "show", "k", "--response"}).status == exit_status::not_found);
    db.sql("drop owned by " + role + "; drop role " + role);
    // 7: no such database. 8: no such role. 9: no server. 10: no such host.
    check(run_command({"-d", with_database(db.dsn(), "nosuch"), "status"}), exit_status::unreachable,
          "dbname=nosuch user=postgres: database \"nosuch\" does not exist; there is no such database: "
          "create it");
    check(run_command({"-d", db.dsn() + " user=nosuch", "status"}), exit_status::unreachable,
          "role \"nosuch\" does not exist; there is no such role");
    check(run_command({"-d", "host=127.0.0.1 port=1 dbname=shop user=u", "status"}), exit_status::unreachable,
          "cannot connect to host=127.0.0.1 port=1 dbname=shop user=u: Connection refused; no server listens "
          "there");
    check(run_command({"-d", "host=/nowhere dbname=shop", "relay", "s", "--to", "jsonl"}),
          exit_status::unreachable, "cannot connect to host=/nowhere");
    // --verbose shows what was said.
    auto const verbose = empty.run({"--verbose", "status"});
    CHECK_THAT(verbose.err, ContainsSubstring("does not exist"));
}

TEST_CASE("errors that need a server of their own kind are sentences, too", "[help]") {
    using once::command::explain_no_connection;
    using once::command::explain_refusal;
    once::command::place_facts const facts{.database = "shop",
                                           .schema = "once",
                                           .role = "app",
                                           .schema_there = true,
                                           .tables_there = true,
                                           .standby = true};
    std::string const place = "host=db1 port=5432 dbname=shop user=app";
    std::string const begin = "connection to server at \"db1\" (10.0.0.1), port 5432 failed: ";
    CHECK_THAT(
        explain_no_connection(begin + "FATAL:  password authentication failed for user \"app\"\n", place)
            .what(),
        ContainsSubstring("cannot connect to " + place + ": password authentication failed") &&
            ContainsSubstring("~/.pgpass") && !ContainsSubstring("FATAL"));
    CHECK_THAT(explain_no_connection(begin + "fe_sendauth: no password supplied\n", place).what(),
               ContainsSubstring("a password is wanted"));
    CHECK_THAT(
        explain_no_connection(begin + "FATAL:  no pg_hba.conf entry for host \"10.0.0.2\"\n", place).what(),
        ContainsSubstring("does not let this role in"));
    CHECK_THAT(explain_no_connection(begin + "FATAL:  sorry, too many clients already\n", place).what(),
               ContainsSubstring("are taken"));
    CHECK_THAT(explain_no_connection(begin + "timeout expired\n", place).what(),
               ContainsSubstring("firewall"));
    CHECK_THAT(explain_no_connection(
                   "could not translate host name \"db1\" to address: Name or service not known\n", place)
                   .what(),
               ContainsSubstring("no such host"));
    // In a language that it does not know it says what libpq says, and where.
    CHECK_THAT(explain_no_connection("FATAL:  Datenbank existiert nicht", place).what(),
               ContainsSubstring(place) && ContainsSubstring("Datenbank existiert nicht"));
    CHECK_THAT(
        explain_refusal("25006", "ERROR:  cannot execute INSERT in a read-only transaction\n", facts, "owner")
            .what(),
        ContainsSubstring("standby") && ContainsSubstring("target_session_attrs=read-write"));
    CHECK_THAT(
        explain_refusal("55P03", "ERROR:  canceling statement due to lock timeout\n", facts, "owner").what(),
        ContainsSubstring("pg_locks"));
    // A detail can hold a row.
    CHECK_THAT(explain_refusal("23514",
                               "ERROR:  violates\nDETAIL:  Failing row contains (secret).\nHINT:  do that\n",
                               facts, "owner")
                   .what(),
               ContainsSubstring("violates; do that") && !ContainsSubstring("secret"));
}
