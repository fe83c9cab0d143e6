// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <nlohmann/json.hpp>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;

namespace {

std::string tool_file(std::string const& name) {
    std::ifstream file{std::string{ONCE_SOURCE_DIR} + "/tools/once/" + name};
    REQUIRE(file);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::set<std::string> metrics_in(std::string const& text) {
    static std::regex const name{R"(\bonce_[a-z_]+)"};
    return {std::sregex_token_iterator{text.begin(), text.end(), name}, std::sregex_token_iterator{}};
}

std::set<std::string> metrics_of_view(command_database<test_database> const& db) {
    // A subscription and one parked message, so that no part of the view is empty.
    db.sql("select once.subscribe('billing')");
    std::set<std::string> names{"once_up"}; // the exporter adds it
    for (auto const& row : db.sql("select distinct name from once.metrics")) {
        names.emplace(row[0].c_str());
    }
    return names;
}

std::set<std::string> metrics_of_relay(command_database<test_database> const& db) {
    once_program relay{{"relay", "billing", "--to", "jsonl", "--listen", "127.0.0.1:0"},
                       {"ONCE_DATABASE=" + db.dsn()}};
    auto names = metrics_in(get(relay.url(), "/metrics"));
    CHECK(relay.stop() == 0);
    return names;
}

} // namespace

TEST_CASE("every metric in the rules for alerts and in the dashboard is one of the view or of a relay",
          "[monitoring]") {
    command_database<test_database> const db;
    auto there = metrics_of_view(db);
    there.merge(metrics_of_relay(db));
    for (std::string const file : {"monitoring/alerts.yml", "monitoring/dashboard.json"}) {
        auto const used = metrics_in(tool_file(file));
        CHECK(used.size() > 5);
        for (auto const& name : used) {
            INFO(file << ": " << name);
            CHECK(there.contains(name));
        }
    }
}

TEST_CASE("metrics are served before the database is there, while it is away, and hold no session of it",
          "[monitoring]") {
    command_database<empty_database> const db;
    auto const later = db.ask("select current_database() || '_later'");
    once_program serving{{"metrics", "--listen", "127.0.0.1:0"},
                         {"ONCE_DATABASE=" + with_database(db.dsn(), later)}};
    auto const url = serving.read_line(); // ends with /metrics
    auto const scrape = [&] { return get(url.substr(0, url.rfind('/')), "/metrics"); };
    CHECK_THAT(scrape(), ContainsSubstring("200 OK") && ContainsSubstring("\nonce_up 0\n"));
    CHECK(status_of(get(url.substr(0, url.rfind('/')), "/healthz")) == 200);

    db.sql("create database " + later + " template once_template");
    auto const numbers = scrape();
    CHECK_THAT(numbers, ContainsSubstring("\nonce_up 1\n") && ContainsSubstring("\nonce_outbox_last_id "));
    CHECK(wait_until([&] {
        return db.ask("select count(*) from pg_stat_activity where datname = '" + later + "'") == "0";
    }));
    db.sql("drop database " + later); // nobody is in its way
    CHECK_THAT(scrape(), ContainsSubstring("\nonce_up 0\n"));
    CHECK(serving.stop() == 0);
}

TEST_CASE("the dashboard is JSON, and each panel says what it shows", "[monitoring]") {
    auto const dashboard = nlohmann::json::parse(tool_file("monitoring/dashboard.json"));
    for (auto const& panel : dashboard["panels"]) {
        CHECK_FALSE(panel["title"].get<std::string>().empty());
        CHECK_FALSE(panel["description"].get<std::string>().empty());
        CHECK_FALSE(panel["targets"].empty());
    }
}

TEST_CASE("each alert has a runbook", "[monitoring]") {
    auto const rules = tool_file("monitoring/alerts.yml");
    auto const pages = tool_file("../../docs/operations.md");
    static std::regex const alert{"alert: (\\w+)"};
    int count = 0;
    for (std::sregex_iterator at{rules.begin(), rules.end(), alert}, end; at != end; ++at, ++count) {
        INFO((*at)[1]);
        CHECK(pages.find("**" + (*at)[1].str() + ".**") != std::string::npos);
    }
    CHECK(count > 5);
}

TEST_CASE("the manual page names every command and option", "[command]") {
    auto const page = tool_file("once.1");
    auto plain = std::regex_replace(page, std::regex{R"(\\-)"}, "-");
    auto const script = once::testing::run_command({"completion"}).out;
    static std::regex const word{"'([a-z ]+)'\\) words='([^']*)'"};
    int count = 0;
    for (std::sregex_iterator at{script.begin(), script.end(), word}, end; at != end; ++at) {
        std::istringstream words{(*at)[2].str()};
        for (std::string one; words >> one;) {
            INFO((*at)[1] << ": " << one);
            CHECK(plain.find(one) != std::string::npos);
            ++count;
        }
    }
    CHECK(count > 5);
}
