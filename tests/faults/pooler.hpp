// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/child_process.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace once::testing {

/// Where a pooler leads to: the folder of the server's socket, and the database there.
struct pooled_server {
    std::string host;
    std::string port = "5432";
    std::string user = "postgres";
    std::string dbname = "shop";
};

/// PgBouncer in front of a database, in a folder of its own; skips the test where there is none.
class pooler {
public:
    /// @param mode transaction or session
    /// @param settings lines for its section [pgbouncer]
    pooler(pooled_server const& server, std::string const& mode, int pool_size,
           std::vector<std::string> const& settings = {});
    ~pooler();
    pooler(pooler const&) = delete;
    pooler& operator=(pooler const&) = delete;

    [[nodiscard]] std::string const& dsn() const noexcept { return m_dsn; }
    /// A command of its console, for example KILL or RECONNECT.
    void command(std::string const& text) const;
    /// What PgBouncer does with prepared statements in transaction mode.
    [[nodiscard]] static bool keeps_statements_apart();

private:
    [[nodiscard]] bool lets_in() const;
    /// What is wrong, or nothing.
    [[nodiscard]] std::string ask_console(std::string const& text) const;

    std::string m_folder;
    std::string m_dsn;
    std::string m_console;
    std::unique_ptr<child_process> m_process;
};

/// What a database object says in its log.
class listener {
public:
    [[nodiscard]] std::function<void(std::string_view)> log() {
        return [this](std::string_view line) {
            std::lock_guard const lock{m_mutex};
            m_text.append(line).append("\n");
        };
    }
    [[nodiscard]] bool heard(std::string const& part) {
        std::lock_guard const lock{m_mutex};
        return m_text.find(part) != std::string::npos;
    }

private:
    std::mutex m_mutex;
    std::string m_text;
};

} // namespace once::testing
