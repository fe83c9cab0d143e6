// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/webhook_publisher.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace once::webhook {

/// One POST, but for the address.
struct request {
    std::vector<header> headers{};
    std::string body{};
};

/// Whether this can be a header of an HTTP request: a token, and a value without control characters.
[[nodiscard]] bool is_http_header(header const& header) noexcept;

/// What a message is posted as.
/**
 * @param options   checked
 * @param keys      the secrets as bytes
 * @param timestamp seconds since 1970, for the signature
 * @throws once::invalid_argument naming the header that cannot be sent over HTTP, or must not
 */
[[nodiscard]] request make_request(delivery const& message, webhook_options const& options,
                                   std::vector<std::string> const& keys, std::string_view timestamp);

/// As libcurl takes it; an empty value needs another form.
[[nodiscard]] std::string header_line(header const& header);

} // namespace once::webhook
