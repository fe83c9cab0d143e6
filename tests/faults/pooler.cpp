// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/pooler.hpp"

#include "support/shell.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace once::testing {

pooler::pooler(pooled_server const& server, std::string const& mode, int pool_size,
               std::vector<std::string> const& settings) {
    // Its path stands in what libpq says about lost connections, and the word pooler is listened for.
    static std::atomic<int> count = 0;
    m_folder = "/tmp/once_between_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    std::vector<std::string> command{std::string{ONCE_SOURCE_DIR} + "/tests/faults/run_pooler",
                                     m_folder,
                                     mode,
                                     std::to_string(pool_size),
                                     server.host,
                                     server.port};
    command.insert(command.end(), settings.begin(), settings.end());
    m_process = std::make_unique<child_process>(command);
    auto const at = "host=" + m_folder + " port=6432 user=" + server.user + " dbname=";
    m_dsn = at + server.dbname;
    m_console = at + "pgbouncer";
    bool const up = wait_until([&] { return m_process->ended() || lets_in(); });
    if (m_process->ended()) {
        auto const how = m_process->wait();
        if (WIFEXITED(how.status) && WEXITSTATUS(how.status) == 4) {
            SKIP("NO PGBOUNCER: tools/dev/dependencies --operations installs it");
        }
    }
    REQUIRE(up);
}

pooler::~pooler() {
    m_process.reset();
    std::error_code ignored;
    std::filesystem::remove_all(m_folder, ignored);
}

// With libpq: libpqxx refuses the console, because of the version that it says it is.
std::string pooler::ask_console(std::string const& text) const {
    std::unique_ptr<PGconn, decltype(&PQfinish)> const console{PQconnectdb(m_console.c_str()), &PQfinish};
    if (PQstatus(console.get()) != CONNECTION_OK) {
        return PQerrorMessage(console.get());
    }
    std::unique_ptr<PGresult, decltype(&PQclear)> const answer{PQexec(console.get(), text.c_str()), &PQclear};
    auto const status = PQresultStatus(answer.get());
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? "" : PQresultErrorMessage(answer.get());
}

void pooler::command(std::string const& text) const {
    if (auto const why = ask_console(text); !why.empty()) {
        throw std::runtime_error{"the pooler refuses " + text + ": " + why};
    }
}

bool pooler::keeps_statements_apart() {
    auto const version =
        run_in_shell("PATH=$PATH:/usr/sbin; ${ONCE_PGBOUNCER:-pgbouncer} --version | head -n 1").output;
    auto const at = version.find("1.");
    return at != std::string::npos && std::stoi(version.substr(at + 2)) >= 21;
}

// The socket is there a moment before anybody listens at it.
bool pooler::lets_in() const {
    return ask_console("show version").empty();
}

} // namespace once::testing
