// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/http/request.hpp>
#include <once/response.hpp>

#include <httplib.h>

namespace shop {

// All that cpp-httplib and once::http have to know of each other.

// [region: adapter]
/// Without a principal: only the service knows who it is.
inline once::http::request to_once(httplib::Request const& from) {
    return {.method = from.method,
            .target = from.target,
            .headers = {from.headers.begin(), from.headers.end()}, // a multimap: it keeps repeated headers
            .body = from.body};
}

inline void send(once::response const& from, httplib::Response& to) {
    to.status = from.status;
    for (auto const& [name, value] : from.headers) {
        to.set_header(name, value);
    }
    if (!from.body.content_type().empty()) {
        to.set_content(from.body.data(), from.body.content_type());
    }
}
// [endregion]

} // namespace shop
