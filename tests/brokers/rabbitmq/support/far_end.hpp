// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "brokers/support/broker_server.hpp"

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#else
#include <amqp.h>
#endif

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

struct rabbitmq_message {
    std::string id{};
    std::string body{};
    std::string content_type{};
    int delivery_mode = 0;
    std::vector<std::pair<std::string, std::string>> headers{};
    [[nodiscard]] std::string header(std::string const& name) const;
};

/// A quorum queue of one test, and what it holds.
class rabbitmq_queue {
public:
    /// @param most messages that it takes, then it says no; 0: any number
    explicit rabbitmq_queue(broker_server const& server, int most = 0);
    ~rabbitmq_queue();
    rabbitmq_queue(rabbitmq_queue const&) = delete;
    rabbitmq_queue& operator=(rabbitmq_queue const&) = delete;

    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    /// Takes all that has come, in its order, and says all that has come since the beginning.
    [[nodiscard]] std::vector<rabbitmq_message> const& messages();
    /// How many wait to be taken; 0 while the broker is away.
    [[nodiscard]] std::size_t count();
    void purge();

private:
    bool connect();
    void disconnect();
    [[nodiscard]] bool declare(bool passive, int most, std::size_t* count);

    std::string m_url;
    std::string m_name;
    amqp_connection_state_t m_connection = nullptr;
    std::vector<rabbitmq_message> m_messages;
};

} // namespace once::testing
