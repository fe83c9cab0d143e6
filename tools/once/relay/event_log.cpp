// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/event_log.hpp"

#include "output.hpp"
#include "printable.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <chrono>
#include <ctime>
#include <ostream>

namespace once::command {

namespace {

std::string now_as_text() {
    auto const now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    auto const seconds = std::chrono::system_clock::to_time_t(now);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    auto const length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    auto const fraction = std::to_string(1000 + now.time_since_epoch().count() % 1000);
    return std::string{text.data(), length} + "." + fraction.substr(1) + "Z";
}

} // namespace

void event_log::write(std::string_view level, std::string_view event,
                      nlohmann::ordered_json const& fields) const {
    nlohmann::ordered_json line{{"time", now_as_text()}, {"level", level}, {"event", event}};
    line.update(fields);
    std::string text;
    if (m_form == log_form::json) {
        text = json_text(line);
    } else {
        text = line["time"].get<std::string>() + " " + std::string{level} + " " + std::string{event};
        for (auto const& [name, value] : fields.items()) {
            // Quoted when it has a space or what a terminal must not get, so that it stays one line and harmless.
            auto const plain = value.is_string() ? value.get<std::string>() : json_text(value);
            bool const bare = !plain.empty() && plain.find_first_of(" \"=") == std::string::npos &&
                              printable(plain) == plain;
            text += " " + name + "=" + (bare ? plain : json_text(nlohmann::ordered_json(plain)));
        }
    }
    std::lock_guard const lock{m_mutex};
    m_out << text << '\n' << std::flush;
}

} // namespace once::command
