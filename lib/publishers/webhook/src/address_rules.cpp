// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "address_rules.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>

namespace once::webhook {

namespace {

struct block {
    std::uint32_t address;
    int bits;
};

// IANA IPv4 Special-Purpose Address Registry, all that is not globally reachable, and multicast.
constexpr std::array<block, 15> not_public{{{0x00000000, 8},
                                            {0x0a000000, 8},
                                            {0x64400000, 10},
                                            {0x7f000000, 8},
                                            {0xa9fe0000, 16},
                                            {0xac100000, 12},
                                            {0xc0000000, 24},
                                            {0xc0000200, 24},
                                            {0xc0586300, 24},
                                            {0xc0a80000, 16},
                                            {0xc6120000, 15},
                                            {0xc6336400, 24},
                                            {0xcb007100, 24},
                                            {0xe0000000, 4},
                                            {0xf0000000, 4}}};

bool is_public_v4(std::uint32_t address) noexcept {
    return std::ranges::none_of(not_public, [&](block const& one) {
        return (address >> static_cast<unsigned>(32 - one.bits)) ==
               (one.address >> static_cast<unsigned>(32 - one.bits));
    });
}

bool is_public_v6(std::array<std::uint8_t, 16> const& bytes) noexcept {
    // Only 2000::/3 is handed out. In it, documentation and benchmark prefixes, 6to4 and Teredo, which lead to an IPv4
    // address inside of them.
    bool const global = (bytes[0] & 0xe0U) == 0x20;
    bool const teredo_and_special = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02; // 2001::/23
    bool const documentation = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0d && bytes[3] == 0xb8;
    bool const six_to_four = bytes[0] == 0x20 && bytes[1] == 0x02;
    return global && !teredo_and_special && !documentation && !six_to_four;
}

} // namespace

bool is_public_address(sockaddr const& address) noexcept {
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
        return is_public_v6(bytes);
    }
    return false;
}

} // namespace once::webhook
