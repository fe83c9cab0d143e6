// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/export.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace once {

/// Says that a request has no fingerprint: its key alone tells what was asked.
struct no_fingerprint_t {
    explicit no_fingerprint_t() = default;
};
inline constexpr no_fingerprint_t no_fingerprint{};

/// What was asked, so that the same key with another question is refused instead of answered.
/**
 * The fingerprint is the SHA-256 of the parts, each with its length in front (8 bytes, big-endian), so that
 * ("ab", "c") and ("a", "bc") differ. Take in everything that makes the request what it is: method, route, principal,
 * content type, body. Bytes are compared, not meaning: the same JSON with other white space is another request.
 *
 * The parts are hashed in this process, when the call is made: only the 32 bytes travel, and are stored. Where you have
 * a digest already, use `from_digest`.
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT fingerprint {
public:
    /// No fingerprint: every request with the key counts as the same one, and gets the same answer whatever it asks.
    fingerprint(no_fingerprint_t) noexcept {} // NOLINT(google-explicit-constructor): it reads as a value

    /// Refused by the compiler: to leave it out takes a word.
    template <class Nothing = void>
    fingerprint() {
        static_assert(
            detail::never<Nothing>,
            "once: a request needs its fingerprint: write .fingerprint = once::fingerprint{method, body}, or "
            "once::no_fingerprint where the key alone tells what was asked");
    }

    /// The fingerprint of these parts, in this order.
    template <std::convertible_to<std::string_view>... Parts>
        requires(sizeof...(Parts) > 0)
    explicit fingerprint(Parts const&... parts) {
        (append(std::string_view{parts}), ...);
    }

    /// A SHA-256 that the caller made.
    /// @throws once::invalid_argument unless it has 32 bytes.
    [[nodiscard]] static fingerprint from_digest(std::span<std::byte const> digest);

    /// Whether there is anything to compare.
    [[nodiscard]] bool empty() const noexcept { return m_preimage.empty() && m_digest.empty(); }

    /// The length-prefixed parts; empty when made from a digest.
    [[nodiscard]] std::string const& preimage() const noexcept { return m_preimage; }

    /// The 32 bytes given to `from_digest`, else empty.
    [[nodiscard]] std::string const& digest() const noexcept { return m_digest; }

    bool operator==(fingerprint const&) const = default;

private:
    void append(std::string_view part);

    std::string m_preimage;
    std::string m_digest;
};

} // namespace once
