// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/token_text.hpp"

#include <once/error.hpp>

#include "text/check_range.hpp"
#include "text/encoding.hpp"
#include "text/key_text.hpp"
#include "text/sha256.hpp"

#include <array>
#include <cerrno>
#include <span>
#include <sys/random.h>
#include <system_error>

namespace once {

namespace {

constexpr std::size_t most_principal_bytes = 180;
constexpr std::size_t most_purpose_bytes = 64;

void check_bearer(std::string const& principal, std::string const& purpose, std::string const& owner) {
    detail::require_key_text(principal, (owner + ".principal").c_str(), most_principal_bytes);
    auto const field = owner + ".purpose";
    detail::require_key_text(purpose, field.c_str(), most_purpose_bytes);
    if (purpose.find(' ') != std::string::npos) {
        throw invalid_argument{field, "spaces are not allowed"};
    }
}

std::string hash_of(std::string_view token) {
    auto const digest = detail::sha256(token);
    return detail::to_hex(std::as_bytes(std::span{digest}));
}

} // namespace

void validate(token_terms const& terms) {
    using namespace std::chrono_literals;
    check_bearer(terms.principal, terms.purpose, "token_terms");
    detail::check_range<std::chrono::milliseconds>(terms.lifetime, 1s, 366 * 24h, "token_terms.lifetime",
                                                   "1 second and 366 days");
}

void validate(redemption const& redemption) {
    check_bearer(redemption.principal, redemption.purpose, "redemption");
}

request record_of(redemption const& redemption) {
    validate(redemption);
    return {.scope = "token " + redemption.purpose + " " + redemption.principal,
            .key = hash_of(redemption.token),
            .fingerprint = redemption.fingerprint};
}

namespace detail {

std::string make_token() {
    std::array<unsigned char, 32> bits{};
    // Up to 256 bytes come whole, once the kernel has gathered enough; before that a signal can end the wait.
    while (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) {
        if (errno != EINTR) {
            throw std::system_error{errno, std::generic_category(), "once: getrandom"};
        }
    }
    return to_base64url(std::as_bytes(std::span{bits}));
}

parameters issue_values(token_terms const& terms, std::vector<std::string> const& tokens) {
    std::string hashes = "{";
    for (auto const& token : tokens) {
        hashes.append(hashes.size() > 1 ? "," : "").append(R"("\\x)").append(hash_of(token)).append("\"");
    }
    hashes += '}';
    return parameters{terms.principal, terms.purpose, terms.lifetime.count(), hashes};
}

} // namespace detail

} // namespace once
