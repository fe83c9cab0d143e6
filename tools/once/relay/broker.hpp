// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>

#include "relay/settings.hpp"

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace once::command {

/// What all brokers are told alike.
/// @throws std::invalid_argument naming the option
[[nodiscard]] broker_options broker_options_of(relay_settings const& settings);

/// Of --password-file or ONCE_RELAY_PASSWORD; empty when there is none.
[[nodiscard]] std::string password_of(relay_settings const& settings);

/// A line for people, once, however many slices and connections say it. Threads take turns.
class each_line_once {
public:
    explicit each_line_once(std::function<void(std::string_view)> log) : m_log{std::move(log)} {}
    void operator()(std::string_view line);

private:
    std::function<void(std::string_view)> m_log;
    std::mutex m_turn;
    std::set<std::string, std::less<>> m_said;
};

} // namespace once::command
