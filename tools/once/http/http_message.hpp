// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "http/http_server.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace once::command {

/// What is read of a request; its headers and its body are nothing to these pages.
struct http_request {
    /// 0, or the status that it is refused with.
    int refused = 0;
    /// HEAD: the answer has no body.
    bool head = false;
    /// Without a query.
    std::string path{};
};

/// Reads the beginning of a request. Pure.
/// @return nothing as long as its head is not complete and could still be within `most_bytes`
[[nodiscard]] std::optional<http_request> read_request(std::string_view bytes, std::size_t most_bytes);

/// The bytes of an answer that ends its connection. Pure.
[[nodiscard]] std::string to_bytes(http_page const& page, bool head_only);

/// The page of a refusal or of an error.
[[nodiscard]] http_page error_page(int status);

} // namespace once::command
