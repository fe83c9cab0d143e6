// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "brokers/support/broker_server.hpp"

#include <cstdint>
#include <map>
#include <nats/nats.h>
#include <string>
#include <vector>

namespace once::testing {

/// What is in a stream at one place.
struct nats_record {
    std::string subject{};
    std::multimap<std::string, std::string> headers{};
    std::string body{};

    [[nodiscard]] std::string header(std::string const& name) const {
        auto const found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
};

/// A stream of one test, and what it holds.
class nats_stream {
public:
    struct settings {
        std::int32_t max_message_bytes = -1;
        std::int64_t max_messages = -1;
        bool in_memory = false;
        /// Instead of "NAME.>".
        std::string subject{};
        /// On the server that speaks TLS.
        bool tls = false;
    };
    explicit nats_stream(broker_server const& server);
    nats_stream(broker_server const& server, settings const& how);
    ~nats_stream();
    nats_stream(nats_stream const&) = delete;
    nats_stream& operator=(nats_stream const&) = delete;

    /// Its subjects begin with the name and a dot.
    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    /// All that it holds, in its order.
    [[nodiscard]] std::vector<nats_record> const& records();
    /// How many there are; 0 while the server is away.
    [[nodiscard]] std::size_t count();
    void purge();

private:
    void connect();
    void disconnect();
    void read(std::uint64_t last);

    natsStatus open(natsConnection** to) const;

    std::string m_url;
    std::string m_ca_file;
    std::string m_name;
    natsConnection* m_connection = nullptr;
    jsCtx* m_context = nullptr;
    std::vector<nats_record> m_records;
    std::uint64_t m_next = 1;
};

/// Answers what is published to a subject, as a stream would, with a text.
class nats_responder {
public:
    nats_responder(broker_server const& server, std::string const& subject, std::string text);
    ~nats_responder();
    nats_responder(nats_responder const&) = delete;
    nats_responder& operator=(nats_responder const&) = delete;

private:
    std::string m_text;
    natsConnection* m_connection = nullptr;
    natsSubscription* m_subscription = nullptr;
};

} // namespace once::testing
