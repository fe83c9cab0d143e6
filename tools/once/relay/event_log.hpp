// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <mutex>
#include <string_view>

namespace once::command {

enum class log_form { text, json };

/// One line for each event: time, level, event, and what belongs to it. Never payloads, headers or secrets.
/**
 * Thread safety: safe.
 */
class event_log {
public:
    event_log(std::ostream& out, log_form form) : m_out{out}, m_form{form} {}

    /// @param fields an object
    void info(std::string_view event, nlohmann::ordered_json const& fields) const {
        write("info", event, fields);
    }
    void warn(std::string_view event, nlohmann::ordered_json const& fields) const {
        write("warn", event, fields);
    }

private:
    void write(std::string_view level, std::string_view event, nlohmann::ordered_json const& fields) const;

    std::ostream& m_out;
    log_form m_form;
    mutable std::mutex m_mutex;
};

} // namespace once::command
