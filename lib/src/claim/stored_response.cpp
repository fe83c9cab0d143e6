// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "claim/stored_response.hpp"

#include <once/error.hpp>

#include "request/text_rules.hpp"

#include <nlohmann/json.hpp>

namespace once::detail {

namespace {

void add_binary(parameters& to, std::string const& data) {
    to.add(std::as_bytes(std::span{data}));
}

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

std::vector<header> from_stored_headers(std::string_view text) {
    try {
        return nlohmann::json::parse(text).get<std::vector<header>>();
    } catch (nlohmann::json::exception const&) {
        throw corrupt_record{
            "once: response_headers of an idempotency record are not [[\"name\",\"value\"],...]"};
    }
}

void add_key(parameters& to, request const& request) {
    to.add(request.scope).add(request.key);
}

void add_fingerprint(parameters& to, fingerprint const& fingerprint) {
    for (auto const* const part : {&fingerprint.digest(), &fingerprint.preimage()}) {
        if (part->empty()) {
            to.add(std::nullopt);
        } else {
            add_binary(to, *part);
        }
    }
}

void add_response(parameters& to, std::optional<response> const& response) {
    if (!response) {
        to.add(std::nullopt).add(std::nullopt).add(std::nullopt).add(std::nullopt).add(std::nullopt);
        return;
    }
    to.add(response->status);
    if (response->headers.empty()) {
        to.add(std::nullopt);
    } else {
        to.add(to_stored_headers(response->headers));
    }
    auto const& body = response->body;
    to.add(body.content_type());
    // JSON goes where people can read it and ->> works; what only claims to be JSON is kept as the bytes that it is.
    if (says_json(body.content_type()) && is_storable_json(body.data())) {
        add_binary(to, body.data());
        to.add(std::nullopt);
    } else {
        to.add(std::nullopt);
        add_binary(to, body.data());
    }
}

} // namespace once::detail
