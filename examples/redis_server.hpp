// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

/// One connection to Redis, in its own protocol (RESP2): as much of it as an example and a benchmark need.
class redis_connection {
public:
    explicit redis_connection(std::string const& socket);
    ~redis_connection();
    redis_connection(redis_connection const&) = delete;
    redis_connection& operator=(redis_connection const&) = delete;

    /// One command, one answer: a text, a number as text, "" for nil.
    /// @throws std::runtime_error for an error that Redis answers
    std::string command(std::vector<std::string> const& words);

    /// Several at once; the answers are only looked at for errors.
    void pipeline(std::vector<std::vector<std::string>> const& commands);

private:
    void send(std::string const& bytes) const;
    std::string line();
    std::string answer();

    int m_socket;
    std::string m_received;
};

/// A redis-server of one's own, on a Unix socket in a temporary folder; it ends with this object.
class redis_server {
public:
    /// Starts one, or gives null where redis-server is not installed.
    /// @param durability further options, such as {"--appendonly", "yes", "--appendfsync", "always"}
    static std::unique_ptr<redis_server> start(std::vector<std::string> const& durability = {});
    ~redis_server();
    redis_server(redis_server const&) = delete;
    redis_server& operator=(redis_server const&) = delete;

    [[nodiscard]] std::string socket() const { return m_folder + "/redis.sock"; }

private:
    redis_server() = default;

    std::string m_folder;
    pid_t m_pid = 0;
};
