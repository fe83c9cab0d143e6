// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <sys/socket.h>

namespace once::webhook {

/// Whether an address belongs to the public internet: not loopback, private, link-local, shared, multicast, reserved,
/// nor an IPv6 form that carries such an IPv4 address.
[[nodiscard]] bool is_public_address(sockaddr const& address) noexcept;

} // namespace once::webhook
