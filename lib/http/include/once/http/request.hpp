// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/fingerprint.hpp>
#include <once/http/export.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/response.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace once::http {

/// A request as any framework can hand it over: parsed, nothing decoded, nothing left out.
struct request {
    /// As it was sent: "POST".
    std::string method{};
    /// Path and query as they were sent: "/orders?draft=1".
    std::string target{};
    /// Every header line on its own. Names are compared without regard to case. A framework that keeps only one of two
    /// equal names hides a repeated key; one that joins them with a comma does not.
    std::vector<header> headers{};
    /// The bytes of the body, before anything was parsed.
    std::string body{};
    /// Who asks, as the service has authenticated it; never a value that the client chose. It separates the keys of one
    /// principal from those of all others, so it must not be empty: who serves the anonymous says so with a name for
    /// them, and then they share their keys and can read each other's answers.
    std::string principal{};
    /// A key that came another way, such as a hidden field of a form. The headers are then not looked at.
    std::optional<std::string> key{};
    /// Where `fingerprint_of` does not fit: an upload that was hashed while it was read, a multipart body, whose
    /// boundary is another one each time it is sent.
    std::optional<once::fingerprint> fingerprint{};
};

/// Whether the method asks for no effect (RFC 9110, 9.2.1): GET, HEAD, OPTIONS, TRACE. Case-sensitive, as methods are.
[[nodiscard]] ONCE_HTTP_EXPORT bool is_safe(std::string_view method) noexcept;

/// The values of all headers with this name, in order.
[[nodiscard]] ONCE_HTTP_EXPORT std::vector<std::string_view> header_values(std::vector<header> const& headers,
                                                                           std::string_view name);

/// The key of the request: `request.key` if it is set, else from the headers.
[[nodiscard]] ONCE_HTTP_EXPORT parsed_key key_of(request const& request, key_syntax syntax);

/// What was asked: method, target, content type and body, each with its length in front.
/**
 * Bytes are compared, so `application/json` and `application/json; charset=utf-8` are two requests. No header but
 * Content-Type takes part: they change from one attempt to the next.
 */
[[nodiscard]] ONCE_HTTP_EXPORT once::fingerprint fingerprint_of(request const& request);

/// The scope of a principal's keys: the prefix, a space, and the principal.
/**
 * Everything in the principal but letters, digits and `- . _ ~ @ : / + = ,` is percent-encoded, so that two principals
 * never get one scope. Method and target are not in the scope: a key that comes again with another route is refused as
 * `key_reused` and does not become another key.
 *
 * @throws once::invalid_argument for an empty principal, one that makes the scope longer than 255 bytes, or a prefix
 *         that is not printable ASCII without spaces
 */
[[nodiscard]] ONCE_HTTP_EXPORT std::string scope_of(std::string_view prefix, std::string_view principal);

} // namespace once::http
