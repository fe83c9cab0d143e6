// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "exit_status.hpp"
#include "relay_database.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <iomanip>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;
namespace fs = std::filesystem;

// More than 60 lines: a table of settings.
TEST_CASE("a wrong setting ends a relay at its start, and the error names it", "[relay]") {
    relay_database const db;
    temporary_folder const folder;
    auto const open =
        folder.write("open", "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==\n", fs::perms{0644});
    auto const config = [&](std::string const& text) {
        static int count = 0;
        return folder.write("relay" + std::to_string(++count) + ".toml", text);
    };
    struct wrong {
        std::vector<std::string> words;
        int status;
        std::string says;
    };
    std::vector<wrong> const table{
        {{}, exit_status::usage, "--subscription is required"},
        {{"s"}, exit_status::usage, "--to is required"},
        {{"s", "--to", "carrier-pigeon"}, exit_status::usage, "--to"},
        {{"nobody", "--to", "jsonl"}, exit_status::not_found, "there is no subscription \"nobody\""},
        {{"s", "--to", "jsonl", "--lease", "15"}, exit_status::usage, "--lease"},
        {{"s", "--to", "jsonl", "--lease", "15 fortnights"}, exit_status::usage, "--lease"},
        {{"s", "--to", "jsonl", "--lease", "1ms"}, exit_status::usage, "--lease: it must be between"},
        {{"s", "--to", "jsonl", "--gather", "3"}, exit_status::usage, "--gather"},
        {{"s", "--to", "jsonl", "--gather", "1001ms"}, exit_status::usage, "--gather: it must be between"},
        {{"s", "--to", "jsonl", "--gather", "-1ms"}, exit_status::usage, "--gather"},
        {{"s", "--to", "jsonl", "--batch-messages", "0"},
         exit_status::usage,
         "--batch-messages: it must be between"},
        {{"s", "--to", "jsonl", "--publish-timeout", "10s"},
         exit_status::usage,
         "--publish-timeout: it must be"},
        {{"s", "--to", "jsonl", "--listen", "9187"}, exit_status::usage, "--listen: give HOST:PORT"},
        {{"s", "--to", "jsonl", "--slice", "64"}, exit_status::usage, "--slice"},
        {{"s", "--to", "postgres"}, exit_status::usage, "give --target"},
        {{"s", "--to", "postgres", "--target", "dbname=x"}, exit_status::usage, "give one of --statement"},
        {{"s", "--to", "postgres", "--target", "dbname=x", "--statement-file", "/nowhere"},
         exit_status::usage,
         "--statement-file: /nowhere cannot be read"},
        {{"s", "--to", "postgres", "--target", "host=x password=hunter2", "--statement", "select 1"},
         exit_status::usage,
         "--target: no password"},
        {{"s", "--to", "postgres", "--target-file", open, "--statement", "select 1"},
         exit_status::usage,
         "--target-file: everybody on this machine may read"},
        {{"--config", folder.file("absent.toml")}, exit_status::usage, "absent.toml"},
        {{"--config", config("[relay]\nsubscripton = \"s\"\n")},
         exit_status::usage,
         "the unknown key relay.subscripton"},
        {{"--config", config("[relais]\nto = \"jsonl\"\n")},
         exit_status::usage,
         "the unknown section [relais]"},
        {{"--config", config("[relay]\nsecret = \"whsec_aHVudGVyMg\"\n")},
         exit_status::usage,
         "the unknown key relay.secret"},
        {{"--config", config("[relay]\nsubscription = \"s\"\nto = \"jsonl\"\nlease = \"soon\"\n")},
         exit_status::usage,
         "--lease"},
    };
    for (auto const& one : table) {
        auto words = one.words;
        words.insert(words.begin(), "relay");
        auto const result = db.run(words);
        CAPTURE(words, result.out);
        CHECK(result.status == one.status);
        CHECK_THAT(result.err, ContainsSubstring(one.says, Catch::CaseSensitive::No));
        CHECK(result.err.find("hunter2") == std::string::npos);
        CHECK(result.err.find("aHVudGVyMg") == std::string::npos);
    }
}

TEST_CASE(
    "a relay takes its settings from a file, the environment wins over it, and the command line over both",
    "[relay]") {
    relay_database db{2};
    temporary_folder const folder;
    db.publish(20);
    auto const settings = folder.write("relay.toml", "# where to\n"
                                                     "database = \"host=/nowhere\"\n"
                                                     "[relay]\n"
                                                     "subscription = \"s\"\n"
                                                     "to = 'jsonl'\n"
                                                     "file = \"" +
                                                         folder.file("from_file") +
                                                         "\"\n"
                                                         "slice = [0, 1]\n"
                                                         "batch-messages = 5\n"
                                                         "until-idle = true\n"
                                                         "log = \"json\"\n");
    auto const run = [&](std::vector<std::string> const& words, std::vector<std::string> variables) {
        variables.push_back(db.variable()); // wins over the database of the file
        once_program program{words, variables};
        auto const status = program.wait();
        CAPTURE(program.log());
        CHECK(status == exit_status::ok);
        return program.log();
    };
    auto const first = run({"relay", "--config", settings}, {});
    CHECK_THAT(first, ContainsSubstring("\"event\":\"started\""));
    CHECK(lines_of_file(folder.file("from_file")).size() == 20);

    db.publish(20);
    auto const second =
        run({"relay"}, {"ONCE_CONFIG=" + settings, "ONCE_RELAY_FILE=" + folder.file("from_variable"),
                        "ONCE_RELAY_LOG=text"});
    CHECK_THAT(second, ContainsSubstring("info started"));
    CHECK(lines_of_file(folder.file("from_variable")).size() == 20);

    db.publish(20);
    run({"relay", "--config", settings, "--file", folder.file("from_flag")},
        {"ONCE_RELAY_FILE=" + folder.file("from_variable")});
    CHECK(lines_of_file(folder.file("from_flag")).size() == 20);
    CHECK(lines_of_file(folder.file("from_file")).size() == 20);

    // Other commands have a look at the same file.
    once_program status{{"--config", settings, "status"}};
    CHECK(status.wait() == exit_status::unreachable);
}

TEST_CASE("a relay whose database is not there ends with exit status 3, so that its supervisor can try again",
          "[relay]") {
    auto const result = run_command({"-d", "host=/nowhere", "relay", "s", "--to", "jsonl"});
    CHECK(result.status == exit_status::unreachable);
}

TEST_CASE("the examples of units and settings are such that the command takes them", "[relay]") {
    auto const deploy = std::string{ONCE_SOURCE_DIR} + "/tools/once/deploy/";
    auto const example = read_file(deploy + "relay.toml");
    // Unreachable is what is left when nothing is wrong with the settings.
    auto const settings = run_command({"-d", "host=/nowhere", "--config", deploy + "relay.toml", "relay"});
    CHECK(settings.status == exit_status::unreachable);
    for (std::string const alternative : {"#to = \"webhook\"", "#to = \"postgres\""}) {
        // What is commented out in that paragraph.
        auto const begin = example.find(alternative);
        REQUIRE(begin != std::string::npos);
        std::istringstream lines{example.substr(begin, example.find("\n\n", begin) - begin)};
        std::string text = "[relay]\nsubscription = \"billing\"\n";
        for (std::string line; std::getline(lines, line);) {
            text += line.find("statement-file") == std::string::npos ? line.substr(1) + "\n"
                                                                     : "statement = \"select 1\"\n";
        }
        temporary_folder const folder;
        auto const result =
            run_command({"-d", "host=/nowhere", "relay", "--config", folder.write("x.toml", text)});
        CAPTURE(text, result.err);
        CHECK(result.status == exit_status::unreachable);
    }
    for (std::string const unit : {"once-relay@.service", "once-purge.service"}) {
        auto const text = read_file(deploy + unit);
        static std::string const start = "ExecStart=/usr/bin/once ";
        auto const begin = text.find(start);
        REQUIRE(begin != std::string::npos);
        auto line = text.substr(begin + start.size(), text.find('\n', begin) - begin - start.size());
        static std::string const named = "/etc/once/relay-%i.toml";
        if (auto const at = line.find(named); at != std::string::npos) {
            line.replace(at, named.size(), deploy + "relay.toml");
        }
        std::vector<std::string> arguments{"-d", "host=/nowhere"};
        std::istringstream words{line};
        for (std::string word; words >> std::quoted(word, '\'');) {
            arguments.push_back(word);
        }
        CAPTURE(line);
        CHECK(run_command(arguments).status == exit_status::unreachable);
    }
}

TEST_CASE("passwords and secrets are in no output, whatever is wrong with them", "[relay]") {
    relay_database const db;
    std::string const password = "hunter2correcthorse";
    for (std::vector<std::string> const& variables : std::vector<std::vector<std::string>>{
             {"ONCE_RELAY_TARGET=host=/nowhere user=u password=" + password},
             {"ONCE_RELAY_TARGET=host=/nowhere user=u passwort=" + password},
             {"ONCE_RELAY_TARGET=postgresql://u:" + password + "@[::1/x"}}) {
        auto all = variables;
        all.push_back(db.variable());
        once_program relay{
            {"relay", "s", "--to", "postgres", "--statement", "select 1", "--until-idle", "--verbose"}, all};
        static_cast<void>(relay.wait());
        CAPTURE(variables);
        CHECK((relay.output() + relay.log()).find(password) == std::string::npos);
        CHECK_FALSE(relay.log().empty());
    }
    once_program away{{"relay", "s", "--to", "jsonl"},
                      {"ONCE_DATABASE=host=/nowhere user=u password=" + password}};
    CHECK(away.wait() == exit_status::unreachable);
    CHECK(away.log().find(password) == std::string::npos);
    auto const typed = db.run({"relay", "s", "--to", "webhook", "--url", "http://x", "--secret", password});
    CHECK(typed.status == exit_status::usage);
    CHECK(typed.err.find(password) == std::string::npos);
}
