// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/fingerprint.hpp>

#include <string>
#include <string_view>

namespace once {

/// Longest scope and longest key, in bytes.
inline constexpr std::size_t max_key_bytes = 255;

/// Names one request, the same for every repeat of it.
/**
 * `scope` and `key` are printable ASCII (0x20 to 0x7e), 1 to 255 bytes, no space at either end, case-sensitive.
 * Take the principal (tenant, user) into the scope, from the authenticated session and never from the request:
 * the key of another principal is simply another key then. The service is not named here; the database takes it from
 * the role that is connected.
 */
struct request {
    /// What the key is unique within, e.g. "POST /orders alice".
    detail::text_field<"request.scope"> scope{};
    /// The idempotency key that came with the request.
    detail::text_field<"request.key"> key{};
    /// What was asked, or `no_fingerprint`: then the key alone decides.
    once::fingerprint fingerprint;
};

/// Checks the rules above; every entry of the library does so itself before it sends anything.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(request const& request);

} // namespace once
