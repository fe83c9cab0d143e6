// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "signature.hpp"

#include <once/error.hpp>
#include <once/webhook_publisher.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdexcept>

namespace once {

namespace webhook {

namespace {

unsigned char const* bytes_of(std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
}

[[noreturn]] void refuse() {
    throw invalid_argument{"webhook_options.secrets",
                           "a secret is \"whsec_\" and the base64 of 24 to 64 random bytes"};
}

std::string signature(std::string const& key, std::string_view signed_text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(signed_text),
             signed_text.size(), digest.data(), &length) == nullptr) {
        throw std::runtime_error{"once: OpenSSL cannot make an HMAC-SHA256"};
    }
    std::array<unsigned char, 4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1> text{};
    int const size = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(length));
    return "v1," + std::string{text.begin(), text.begin() + size};
}

bool same(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace

std::string secret_bytes(std::string const& secret) {
    constexpr std::string_view prefix = "whsec_";
    constexpr std::size_t fewest = 24;
    constexpr std::size_t most = 64;
    if (!secret.starts_with(prefix)) {
        refuse();
    }
    auto const text = std::string_view{secret}.substr(prefix.size());
    if (text.empty() || text.size() % 4 != 0 || text.size() > (most + 2) / 3 * 4) {
        refuse();
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    int const size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text),
                                     static_cast<int>(text.size()));
    if (size < 0) {
        refuse();
    }
    std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    if (bytes.size() < fewest || bytes.size() > most) {
        refuse();
    }
    return bytes;
}

std::string sign(std::vector<std::string> const& keys, std::string_view id, std::string_view timestamp,
                 std::string_view body) {
    std::string text;
    text.reserve(id.size() + timestamp.size() + body.size() + 2);
    text.append(id).append(".").append(timestamp).append(".").append(body);
    std::string made;
    for (auto const& key : keys) {
        made.append(made.empty() ? "" : " ").append(signature(key, text));
    }
    return made;
}

} // namespace webhook

std::string webhook_signature(std::vector<std::string> const& secrets, std::string_view id,
                              std::string_view timestamp, std::string_view body) {
    std::vector<std::string> keys(secrets.size());
    std::ranges::transform(secrets, keys.begin(), webhook::secret_bytes);
    return webhook::sign(keys, id, timestamp, body);
}

bool verify_webhook(std::vector<std::string> const& secrets, std::string_view id, std::string_view timestamp,
                    std::string_view body, std::string_view signatures,
                    std::chrono::system_clock::time_point now, std::chrono::seconds tolerance) {
    std::int64_t seconds = 0;
    auto const* const end = timestamp.data() + timestamp.size();
    auto const read = std::from_chars(timestamp.data(), end, seconds);
    auto const current = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (read.ec != std::errc{} || read.ptr != end || seconds < current - tolerance.count() ||
        seconds > current + tolerance.count()) {
        return false;
    }
    bool good = false;
    for (auto const& secret : secrets) {
        auto const expected = webhook_signature({secret}, id, timestamp, body);
        for (std::size_t at = 0; at <= signatures.size();) {
            auto const space = std::min(signatures.find(' ', at), signatures.size());
            good = webhook::same(signatures.substr(at, space - at), expected) || good;
            at = space + 1;
        }
    }
    return good;
}

} // namespace once
