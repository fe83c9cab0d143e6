// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/http/export.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace once::http {

/// Name of the request header that carries the key (draft-ietf-httpapi-idempotency-key-header).
inline constexpr std::string_view idempotency_key_header = "Idempotency-Key";

/// Longest value of that header, in bytes. A key of 255 bytes with every character escaped fits; nothing longer is
/// looked at.
inline constexpr std::size_t max_key_field_bytes = 512;

/// Which spellings of a key are understood.
enum class key_syntax {
    /// A string as the draft and RFC 8941 write it, in double quotes: `"8e03978e-40d5"`. Anything else is refused.
    quoted,
    /// Also a bare token, as many clients send it: `8e03978e-40d5`. It is the same key as its quoted form, always.
    quoted_or_bare,
};

/// Why there is no key.
enum class key_defect {
    /// The header is not there.
    missing,
    /// The header is there more than once, or its value is a list.
    repeated,
    /// The value has no quotes, and `key_syntax::quoted` wants them.
    unquoted,
    /// The value is neither a string of RFC 8941 nor a bare token; a string with parameters counts as such.
    malformed,
    /// The key is the empty string.
    empty,
    /// The key begins or ends with a space.
    outer_space,
    /// The key has more than 255 bytes, or the value more than `max_key_field_bytes`.
    too_long,
};

/// What a client should be told about it: one constant sentence that repeats nothing of what was sent.
[[nodiscard]] ONCE_HTTP_EXPORT std::string_view explain(key_defect defect) noexcept;

/// The key, or why there is none.
using parsed_key = std::variant<std::string, key_defect>;

/// Reads the key from the values of all `Idempotency-Key` headers of one request.
/**
 * A key is 1 to 255 bytes of printable ASCII (0x20 to 0x7e), case-sensitive, without a space at either end. In quotes
 * a backslash stands before `"` and before another backslash; it is not part of the key. A bare token begins with a
 * letter, a digit, `_` or `-`, and goes on with those or any of `! # $ % & ' * + . ^ ` | ~ : / =`: no quote, comma,
 * semicolon, backslash or space. So a bare token and a quoted string are one key exactly when their characters are
 * equal, and no value has two readings.
 *
 * Parameters (`"k";a=1`) are refused, although RFC 8941 would let one ignore them: the draft defines none, and who
 * sends one relies on something that would not happen.
 *
 * Spaces and tabs around a value are not part of it. Pure: no I/O, and no exceptions but `std::bad_alloc`.
 *
 * @param values one entry per header line, in the order in which they came
 */
[[nodiscard]] ONCE_HTTP_EXPORT parsed_key parse_idempotency_key(std::span<std::string_view const> values,
                                                                key_syntax syntax = key_syntax::quoted);

/// Checks a key that came another way, such as a hidden field of a form, by the same rules.
/// @return `key` itself, or what is wrong with it
[[nodiscard]] ONCE_HTTP_EXPORT parsed_key check_idempotency_key(std::string_view key);

/// Writes a key as the value of the header: in quotes, escaped. For clients.
/// @throws once::invalid_argument when `key` is not a key as described above
[[nodiscard]] ONCE_HTTP_EXPORT std::string format_idempotency_key(std::string_view key);

} // namespace once::http
