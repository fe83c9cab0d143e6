// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/fingerprint.hpp>

#include "fuzz/fuzz.hpp"

#include <span>
#include <vector>

using namespace once::fuzzing;

namespace {

// Reads a preimage back; that this is possible means that no two lists of parts share one.
std::vector<std::string> parts_of(std::string_view preimage) {
    std::vector<std::string> parts;
    while (!preimage.empty()) {
        claim(preimage.size() >= 8, "each part has its length in front");
        std::uint64_t length = 0;
        for (char const c : preimage.substr(0, 8)) {
            length = length << 8U | static_cast<unsigned char>(c);
        }
        preimage.remove_prefix(8);
        claim(length <= preimage.size(), "the length is that of the part");
        parts.emplace_back(preimage.substr(0, length));
        preimage.remove_prefix(length);
    }
    return parts;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input from{data, size};
    std::string const first{from.part()};
    std::string const second{from.part()};
    std::string const third{from.rest()};
    once::fingerprint const made{first, second, third};
    claim(parts_of(made.preimage()) == std::vector{first, second, third}, "the parts can be read back");
    claim(once::fingerprint{first, second, third} == made, "the same parts give the same fingerprint");
    claim(!made.empty() && made.digest().empty(), "parts are no digest");

    try {
        auto const digest = once::fingerprint::from_digest(std::as_bytes(std::span{data, size}));
        claim(size == 32, "a digest has 32 bytes");
        claim(digest.digest() == std::string(reinterpret_cast<char const*>(data), size), "a digest is kept");
    } catch (once::invalid_argument const&) {
        claim(size != 32, "32 bytes are a digest");
    }
    return 0;
}
