// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstdint>
#include <string>

/** @file
 * The processes that run all the time, until SIGTERM, or until they are killed.
 */
namespace demo {

struct daemon_task {
    /// billing, relay or warehouse
    std::string kind;
    /// The name of the process.
    std::string name;
    std::string dsn;
    std::uint64_t seed = 0;
    /// Where the warehouse listens; 0: where it likes, and it tells.
    std::uint16_t port = 0;
};

/// Whether relay and warehouse can run: they need the component once::webhook.
[[nodiscard]] bool can_send_webhooks() noexcept;

/// The exit code of the process.
int run_daemon(daemon_task const& task);

} // namespace demo
