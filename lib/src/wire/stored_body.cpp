// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire/stored_body.hpp"

#include <once/error.hpp>

#include "text/text_rules.hpp"

#include <nlohmann/json.hpp>

namespace once::detail {

namespace {

bool says_json(std::string_view content_type) {
    auto const type = content_type.substr(0, content_type.find(';'));
    return type == "application/json" || type.ends_with("+json");
}

} // namespace

std::string to_stored_headers(std::vector<header> const& headers) {
    auto stored = nlohmann::json::array();
    for (auto const& [name, value] : headers) {
        stored.push_back({name, value});
    }
    return stored.dump();
}

std::vector<header> from_stored_headers(std::string_view text, char const* where) {
    try {
        return nlohmann::json::parse(text).get<std::vector<header>>();
    } catch (nlohmann::json::exception const&) {
        throw corrupt_record{std::string{"once: headers of "} + where +
                             " are not [[\"name\",\"value\"],...]"};
    }
}

bool is_stored_as_json(body const& body) {
    return says_json(body.content_type()) && is_storable_json(body.data());
}

} // namespace once::detail
