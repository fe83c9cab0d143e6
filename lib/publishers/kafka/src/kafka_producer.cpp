// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "kafka_producer.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace once::kafka {

namespace {

// What makes `accepted` true, and what this publisher relies on.
constexpr std::array<std::pair<char const*, char const*>, 7> ours{{{"acks", "all"},
                                                                   {"enable.idempotence", "true"},
                                                                   {"allow.auto.create.topics", "false"},
                                                                   {"message.timeout.ms", "300000"},
                                                                   {"topic.metadata.refresh.sparse", "true"},
                                                                   {"log_level", "0"},
                                                                   {"log.connection.close", "false"}}};
constexpr std::array<std::string_view, 9> forbidden{
    "request.required.acks",  "delivery.timeout.ms",  "transactional.id",
    "transaction.timeout.ms", "max.in.flight",        "retries",
    "bootstrap.servers",      "metadata.broker.list", "max.in.flight.requests.per.connection"};

// Many records must not be refused for the sum of
// their sizes where a topic has a small limit. The rest is as the Java client has it.
constexpr std::array<std::pair<char const*, char const*>, 4> defaults{{{"message.max.bytes", "10000000"},
                                                                       {"batch.size", "16384"},
                                                                       {"linger.ms", "0"},
                                                                       {"partitioner", "murmur2_random"}}};

} // namespace

int milliseconds_until(time_point when) {
    auto const left =
        std::chrono::duration_cast<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
    constexpr std::int64_t most = 1'000'000;
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, most));
}

settings::settings(std::string const& brokers, kafka_options const& options) : m_conf{rd_kafka_conf_new()} {
    auto const set = [&](std::string const& name, std::string const& value) {
        std::array<char, 512> why{};
        if (rd_kafka_conf_set(m_conf.get(), name.c_str(), value.c_str(), why.data(), why.size()) !=
            RD_KAFKA_CONF_OK) {
            // Its own words could show the value.
            throw invalid_argument{"kafka_options.config", "librdkafka does not take the property " + name +
                                                               ", or not with this value"};
        }
    };
    for (auto const& [name, value] : defaults) {
        set(name, value);
    }
    for (auto const& [name, value] : options.config) {
        bool const is_ours = std::ranges::any_of(ours, [&](auto const& one) { return name == one.first; });
        if (is_ours || std::ranges::find(forbidden, name) != forbidden.end()) {
            throw invalid_argument{"kafka_options.config",
                                   "the property " + name + " is set by the publisher"};
        }
        set(name, value);
    }
    for (auto const& [name, value] : ours) {
        set(name, value);
    }
    set("bootstrap.servers", brokers);
    if (!options.config.contains("client.id")) {
        set("client.id", "once");
    }
    rd_kafka_conf_set_events(m_conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
}

producer::producer(settings const& how) {
    auto* const conf = how.copy();
    std::array<char, 512> why{};
    m_handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
    if (m_handle == nullptr) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error{std::string{"librdkafka makes no producer: "} + why.data()};
    }
    m_queue = rd_kafka_queue_get_main(m_handle);
}

producer::~producer() {
    rd_kafka_purge(m_handle,
                   RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_queue_destroy(m_queue);
    rd_kafka_destroy(m_handle);
}

std::vector<report> producer::poll(time_point until) {
    std::vector<report> made;
    for (;;) {
        auto const patience = made.empty() ? milliseconds_until(until) : 0;
        std::unique_ptr<rd_kafka_event_t, void (*)(rd_kafka_event_t*)> const event{
            rd_kafka_queue_poll(m_queue, patience), rd_kafka_event_destroy};
        if (!event) {
            return made;
        }
        if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) {
            m_all_down_since.reset();
            while (auto const* const message = rd_kafka_event_message_next(event.get())) {
                made.push_back(
                    {.place = reinterpret_cast<std::uintptr_t>(message->_private) - 1,
                     .error = message->err,
                     .persisted = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_PERSISTED});
            }
        } else if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
            note(event.get());
            return made; // whoever waits looks at it
        }
    }
}

void producer::note(rd_kafka_event_t* event) {
    auto const error = rd_kafka_event_error(event);
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (!m_all_down_since) {
            m_all_down_since = std::chrono::steady_clock::now();
        }
        return;
    }
    switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        m_last_error = "a broker refused user and password";
        m_refused = true;
        break;
    case RD_KAFKA_RESP_ERR__SSL:
        m_last_error = "no TLS connection: the certificate is not trusted, or another one is wanted";
        m_refused = true;
        break;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        if (!m_refused) { // that says more
            m_last_error = "no broker can be reached";
        }
        break;
    default:
        m_last_error = rd_kafka_err2str(error);
    }
    m_refused = m_refused || rd_kafka_event_error_is_fatal(event) != 0;
}

} // namespace once::kafka
