// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/broker.hpp"

#include "environment.hpp"
#include "relay/secrets.hpp"

#include <stdexcept>

namespace once::command {

broker_options broker_options_of(relay_settings const& settings) {
    auto const& receiver = settings.receiver;
    broker_options made{.subscription = settings.subscription,
                        .cloud_event = {.source = receiver.source, .type_prefix = receiver.type_prefix}};
    if (!settings.broker.name.empty()) {
        made.name = settings.broker.name;
    }
    made.form = receiver.form == "binary"       ? broker_form::cloud_event_binary
                : receiver.form == "structured" ? broker_form::cloud_event_structured
                                                : broker_form::plain;
    for (auto const& rule : settings.broker.topic_map) {
        auto const equals = rule.find('=');
        if (equals == std::string::npos) {
            throw std::invalid_argument{
                "--topic-map: give PATTERN=NAME, for example 'orders.*=shop.{topic}'"};
        }
        made.topic_map.push_back({rule.substr(0, equals), rule.substr(equals + 1)});
    }
    return made;
}

std::string password_of(relay_settings const& settings) {
    return settings.broker.password_file.empty()
               ? variable("ONCE_RELAY_PASSWORD").value_or("")
               : read_secret_file("password-file", settings.broker.password_file);
}

void each_line_once::operator()(std::string_view line) {
    std::lock_guard const lock{m_turn};
    if (m_said.emplace(line).second) {
        m_log(line);
    }
}

} // namespace once::command
