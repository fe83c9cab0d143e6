// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/rendering.hpp"

#include <once/error.hpp>

#include "text/utc.hpp"
#include "wire/stored_body.hpp"

#include <nlohmann/json.hpp>

namespace once::detail {

bool embeds_as_json(body const& payload, bool one_line) {
    auto const& data = payload.data();
    return !(one_line && data.find_first_of("\n\r") != std::string::npos) && is_stored_as_json(payload);
}

std::string json_string(std::string_view text) {
    try {
        return nlohmann::json(text).dump();
    } catch (nlohmann::json::type_error const&) {
        throw invalid_argument{"delivery", "a text in it is not UTF-8"};
    }
}

std::string rfc3339(std::chrono::sys_time<std::chrono::microseconds> when) {
    return utc_text(when, 'T') + 'Z';
}

} // namespace once::detail
