// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/rendering.hpp"

#include <once/error.hpp>

#include "wire/stored_body.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <cstdio>

namespace once::detail {

bool embeds_as_json(body const& payload, bool one_line) {
    auto const& data = payload.data();
    return !(one_line && data.find_first_of("\n\r") != std::string::npos) && is_stored_as_json(payload);
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string made;
    made.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        auto const left = bytes.size() - i;
        auto const byte = [&](std::size_t k) {
            return k < left ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i + k])) : 0U;
        };
        std::uint32_t const group = (byte(0) << 16U) | (byte(1) << 8U) | byte(2);
        made += letters[(group >> 18U) & 63U];
        made += letters[(group >> 12U) & 63U];
        made += left > 1 ? letters[(group >> 6U) & 63U] : '=';
        made += left > 2 ? letters[group & 63U] : '=';
    }
    return made;
}

std::string json_string(std::string_view text) {
    try {
        return nlohmann::json(text).dump();
    } catch (nlohmann::json::type_error const&) {
        throw invalid_argument{"delivery", "a text in it is not UTF-8"};
    }
}

std::string rfc3339(std::chrono::sys_time<std::chrono::microseconds> when) {
    auto const day = std::chrono::floor<std::chrono::days>(when);
    std::chrono::year_month_day const date{day};
    std::chrono::hh_mm_ss const time{when - day};
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                  static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()),
                  static_cast<int>(time.subseconds().count()));
    return text.data();
}

} // namespace once::detail
