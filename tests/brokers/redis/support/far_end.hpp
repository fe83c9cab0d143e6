// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "brokers/support/broker_server.hpp"

#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

/// A reply of Redis as a value.
struct redis_value {
    int type = REDIS_REPLY_NIL;
    std::string text{};
    long long number = 0;
    std::vector<redis_value> parts{};
};

/// A connection of a test, made again when the server was away.
class redis_client {
public:
    explicit redis_client(broker_server const& server) : m_url{server.url()} {}
    redis_client(redis_client const&) = delete;
    redis_client& operator=(redis_client const&) = delete;
    ~redis_client();

    /// @throws std::runtime_error when the server is away, or says so
    redis_value ask(std::vector<std::string> const& words);

private:
    void connect();

    std::string m_url;
    redisContext* m_context = nullptr;
};

/// An entry of a stream: its fields in their order.
struct redis_entry {
    std::vector<std::pair<std::string, std::string>> fields{};
    [[nodiscard]] std::string field(std::string const& name) const;
};

/// A stream of one test, and what it holds.
class redis_stream {
public:
    explicit redis_stream(broker_server const& server, std::string const& topic = "orders.placed");
    ~redis_stream();
    redis_stream(redis_stream const&) = delete;
    redis_stream& operator=(redis_stream const&) = delete;

    /// What stands in front of the topic in the name of the stream, with a colon.
    [[nodiscard]] std::string const& prefix() const noexcept { return m_prefix; }
    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    /// All that it holds, in its order.
    [[nodiscard]] std::vector<redis_entry> const& entries();
    /// How many there are; 0 while the server is away.
    [[nodiscard]] std::size_t count();
    [[nodiscard]] redis_client& client() noexcept { return m_client; }

private:
    redis_client m_client;
    std::string m_prefix;
    std::string m_name;
    std::vector<redis_entry> m_entries;
    std::string m_last = "-";
};

} // namespace once::testing
