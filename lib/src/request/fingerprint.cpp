// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/fingerprint.hpp>

#include <cstdint>

namespace once {

fingerprint fingerprint::from_digest(std::span<std::byte const> digest) {
    constexpr std::size_t sha256_bytes = 32;
    if (digest.size() != sha256_bytes) {
        throw invalid_argument{"fingerprint", "a digest must be the 32 bytes of a SHA-256"};
    }
    fingerprint made{no_fingerprint};
    for (std::byte const byte : digest) {
        made.m_digest += static_cast<char>(byte);
    }
    return made;
}

void fingerprint::append(std::string_view part) {
    auto const size = static_cast<std::uint64_t>(part.size());
    for (int shift = 56; shift >= 0; shift -= 8) {
        m_preimage += static_cast<char>((size >> shift) & 0xffU);
    }
    m_preimage += part;
}

} // namespace once
