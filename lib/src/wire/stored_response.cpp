// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire/stored_response.hpp"

#include <once/error.hpp>

#include "text/encoding.hpp"
#include "text/sha256.hpp"
#include "wire/stored_body.hpp"

#include <pqxx/field>
#include <pqxx/row>

#include <utility>

namespace once::detail {

namespace {

void add_binary(parameters& to, std::string const& data) {
    to.add(std::as_bytes(std::span{data}));
}

} // namespace

void add_key(parameters& to, request const& request) {
    to.add(request.scope).add(request.key);
}

std::string digest_of(fingerprint const& fingerprint) {
    if (fingerprint.preimage().empty()) {
        return fingerprint.digest();
    }
    auto const digest = sha256(fingerprint.preimage());
    return {digest.begin(), digest.end()};
}

void add_digest(parameters& to, std::string const& digest) {
    if (digest.empty()) {
        to.add(std::nullopt);
    } else {
        add_binary(to, digest);
    }
}

void add_fingerprint(parameters& to, fingerprint const& fingerprint) {
    add_digest(to, digest_of(fingerprint));
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
    if (is_stored_as_json(body)) {
        add_binary(to, body.data());
        to.add(std::nullopt);
    } else {
        to.add(std::nullopt);
        add_binary(to, body.data());
    }
}

std::optional<response> read_response(pqxx::result const& answer, int first, char const* where) {
    auto const row = answer[0];
    if (row[first].is_null()) {
        return std::nullopt;
    }
    response stored{.status = row[first].as<int>()};
    if (auto const headers = row[first + 1]; !headers.is_null()) {
        stored.headers = from_stored_headers(headers.as<std::string>(), where);
    }
    auto const content_type = row[first + 2];
    auto const hex = row[first + 3];
    auto bytes = from_hex(hex.is_null() ? std::string_view{} : hex.view());
    if (!bytes) {
        throw corrupt_record{std::string{"once: "} + where + " has a body that is no hexadecimal text"};
    }
    stored.body =
        body::bytes(std::move(*bytes), content_type.is_null() ? "" : content_type.as<std::string>());
    return stored;
}

} // namespace once::detail
