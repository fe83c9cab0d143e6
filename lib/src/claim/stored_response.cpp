// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "claim/stored_response.hpp"

#include "request/stored_body.hpp"

namespace once::detail {

namespace {

void add_binary(parameters& to, std::string const& data) {
    to.add(std::as_bytes(std::span{data}));
}

} // namespace

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
    if (is_stored_as_json(body)) {
        add_binary(to, body.data());
        to.add(std::nullopt);
    } else {
        to.add(std::nullopt);
        add_binary(to, body.data());
    }
}

} // namespace once::detail
