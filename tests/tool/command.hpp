// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "command_line.hpp"
#include "support/database.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

namespace once::testing {

/// What a command came to.
struct command_result {
    int status = 0;
    std::string out;
    std::string err;
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
    [[nodiscard]] bool says(std::string const& text) const { return out.find(text) != std::string::npos; }
};

/// Runs the command as the program does, in this process.
inline command_result run_command(std::vector<std::string> const& words, std::stop_token const& stop = {}) {
    std::vector<char const*> arguments{"once"};
    for (auto const& word : words) {
        arguments.push_back(word.c_str());
    }
    std::ostringstream out;
    std::ostringstream err;
    int const status =
        command::run_command_line(static_cast<int>(arguments.size()), arguments.data(), stop, out, err);
    return {status, out.str(), err.str()};
}

/// A database, and the command at work on it.
template <class Database>
class command_database {
public:
    [[nodiscard]] command_result run(std::vector<std::string> words, std::stop_token const& stop = {}) const {
        words.insert(words.begin(), {"--database", m_database.dsn()});
        return run_command(words, stop);
    }
    pqxx::result sql(std::string const& text) const {
        pqxx::connection connection{m_database.dsn()};
        pqxx::nontransaction session{connection};
        return session.exec(text);
    }
    [[nodiscard]] std::string ask(std::string const& text) const { return sql(text)[0][0].c_str(); }
    [[nodiscard]] std::string const& dsn() const { return m_database.dsn(); }

private:
    Database m_database;
};

} // namespace once::testing
