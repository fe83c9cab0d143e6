// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// The migrations in the hands of other people's tools. What psql makes of the files is the measure.
#include <once/migrations.hpp>

#include "command.hpp"
#include "doctor_queries.hpp"
#include "exit_status.hpp"
#include "support/effects.hpp"
#include "support/migrations_folder.hpp"
#include "support/session.hpp"
#include "support/shell.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace once::testing;
namespace fs = std::filesystem;

namespace {

std::string const convert = ONCE_SOURCE_DIR "/tools/migrations/convert";

/// The first line in which two catalogs differ, "" where they are equal: they are too long to be printed.
std::string difference(std::string const& made, std::string const& expected) {
    auto const [a, b] = std::ranges::mismatch(made, expected);
    if (a == made.end() && b == expected.end()) {
        return {};
    }
    auto const line = [](std::string const& text, auto at) {
        auto const begin = text.rfind('\n', static_cast<std::size_t>(at - text.begin()));
        return text.substr(begin == std::string::npos ? 0 : begin + 1, 400);
    };
    return "made: " + line(made, a) + "\n\nexpected: " + line(expected, b);
}

/// Every object of the schema with its definition, rights and comments: the same text for the same schema.
std::string catalog(std::string const& dsn, std::string const& schema) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction tx{connection};
    tx.exec("set search_path = ''");
    std::vector<std::string> lines;
    auto const rows = tx.exec(once::command::queries::catalog, pqxx::params{schema});
    for (auto const& row : rows) {
        lines.push_back(std::string{row[0].c_str()} + ' ' + row[1].c_str() + ": " + row[2].c_str() + '\n');
    }
    std::ranges::sort(lines);
    std::string text;
    for (auto const& line : lines) {
        text += line;
    }
    return text;
}

/// What psql makes of all files.
std::string made_by_psql(std::string const& schema) {
    empty_database const database;
    run(database.dsn(), "create schema " + schema);
    std::string script = "set search_path = " + schema + ";\n";
    for (auto const& name : migration_names(".up.sql")) {
        script += "begin;\n\\i '" + migration_path(name) + "'\ncommit;\n";
    }
    auto const done = run_in_shell("printf %s " + shell_quoted(script) +
                                   " | psql -X -q -v ON_ERROR_STOP=1 -d " + shell_quoted(database.dsn()));
    INFO(done.output);
    REQUIRE(done.status == 0);
    return catalog(database.dsn(), schema);
}

/// A database that a tool works on.
class workplace {
public:
    explicit workplace(std::string schema) : m_schema{std::move(schema)} {
        run(m_database.dsn(), "create schema " + m_schema);
        pqxx::connection connection{m_database.dsn()};
        m_host = connection.hostname();
        m_port = connection.get_var("port");
        m_user = connection.username();
        m_folder = fs::temp_directory_path() / ("once_" + m_database.name());
    }
    ~workplace() {
        std::error_code ignored;
        fs::remove_all(m_folder, ignored);
    }
    workplace(workplace const&) = delete;
    workplace& operator=(workplace const&) = delete;

    [[nodiscard]] std::string const& dsn() const noexcept { return m_database.dsn(); }
    [[nodiscard]] std::string const& schema() const noexcept { return m_schema; }
    [[nodiscard]] std::string folder() const { return m_folder.string(); }
    /// Where libpq and its kind find the database.
    [[nodiscard]] std::string environment() const {
        return "export PGHOST=" + shell_quoted(m_host) + " PGPORT=" + m_port +
               " PGUSER=" + shell_quoted(m_user) + " PGDATABASE=" + m_database.name() +
               " PGOPTIONS='-c client_min_messages=warning'" + " DATABASE_URL=" + shell_quoted(url()) + "; ";
    }
    [[nodiscard]] std::string url() const {
        return "postgres://" + m_user + "@/" + m_database.name() + "?host=" + m_host + "&port=" + m_port +
               "&sslmode=disable";
    }

private:
    empty_database m_database;
    std::string m_schema;
    std::string m_host;
    std::string m_port;
    std::string m_user;
    fs::path m_folder;
};

using step = std::function<void(workplace const&)>;

/// Up, down to nothing, up again, in the usual schema and in one with another name.
void check_tool(char const* name, step const& up, step const& down) {
    bool const thorough = long_form();
    // Roles belong to the whole server, where others run this test, too.
    for (auto const& schema : {std::string{"once"}, "tools" + std::to_string(::getpid()) + '_' + name}) {
        INFO(schema);
        auto const expected = made_by_psql(schema);
        REQUIRE(expected.size() > 100'000);
        workplace const place{schema};
        auto const check_up = [&] {
            up(place);
            CHECK(ask(place.dsn(), "select " + schema + ".installed_version()") ==
                  std::to_string(once::migrations().size()));
            CHECK(difference(catalog(place.dsn(), schema), expected) == "");
        };
        auto const check_down = [&] {
            down(place);
            CHECK(catalog(place.dsn(), schema).empty());
        };
        check_up();
        check_down();
        if (schema == "once" || thorough) {
            check_up();
        }
        if (thorough) {
            check_down();
        }
    }
}

/// The same with a tool that has a recipe in tests/tool/migrate_with.
void check_other_tool(std::string const& tool, char const* name) {
    auto const migrate = [&](workplace const& place, std::string const& direction) {
        auto const done = run_in_shell(place.environment() + ONCE_SOURCE_DIR "/tests/tool/migrate_with " +
                                       tool + ' ' + direction + ' ' + place.schema() + ' ' + place.folder());
        if (WIFEXITED(done.status) && WEXITSTATUS(done.status) == 4) {
            SKIP("NOT HERE: " << done.output);
        }
        INFO(done.output);
        REQUIRE(done.status == 0);
    };
    check_tool(
        name, [&](workplace const& place) { migrate(place, "up"); },
        [&](workplace const& place) { migrate(place, "down"); });
}

} // namespace

TEST_CASE("sqitch makes of the converted files what psql makes of the files", "[migrations]") {
    check_other_tool("sqitch", "sqitch");
}

TEST_CASE("dbmate makes of the converted files what psql makes of the files", "[migrations]") {
    check_other_tool("dbmate", "dbmate");
}

TEST_CASE("node-pg-migrate makes of the converted files what psql makes of the files", "[migrations]") {
    check_other_tool("node-pg-migrate", "node");
}

TEST_CASE("the command makes what psql makes of the files", "[migrations]") {
    auto const once = [](workplace const& place, std::vector<std::string> words) {
        words.insert(words.begin(), {"--database", place.dsn(), "--schema", place.schema(), "migrate"});
        auto const done = run_command(words);
        INFO(done.out << done.err);
        REQUIRE(done.status == once::command::exit_status::ok);
    };
    check_tool(
        "once", [&](workplace const& place) { once(place, {"up"}); },
        [&](workplace const& place) { once(place, {"down", "--to", "0", "--yes"}); });
}

TEST_CASE("convert overwrites nothing that it has not made", "[migrations]") {
    auto const folder = fs::temp_directory_path() / ("once_convert_" + std::to_string(::getpid()));
    fs::create_directory(folder);
    REQUIRE(run_in_shell("echo mine >" + folder.string() + "/0001_schema_version.sql").status == 0);
    auto const refused = run_in_shell(convert + " dbmate " + folder.string());
    CHECK(refused.status != 0);
    CHECK(refused.output.find("holds other files") != std::string::npos);
    CHECK(run_in_shell("cat " + folder.string() + "/*").output == "mine\n");
    fs::remove_all(folder);
    CHECK(run_in_shell(convert + " flyway " + folder.string()).status != 0);
    fs::remove_all(folder);
}
