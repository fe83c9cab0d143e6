// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "kafka_topic.hpp"

#include <array>
#include <librdkafka/rdkafka.h>
#include <stdexcept>

namespace once::example {

void make_kafka_topic(std::string const& brokers, std::string const& name) {
    std::array<char, 512> why{};
    auto* const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), why.data(), why.size());
    auto* const handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
    if (handle == nullptr) {
        throw std::runtime_error{why.data()};
    }
    auto* topic = rd_kafka_NewTopic_new(name.c_str(), 1, 1, nullptr, 0);
    auto* const queue = rd_kafka_queue_new(handle);
    rd_kafka_CreateTopics(handle, &topic, 1, nullptr, queue);
    constexpr int patience = 30'000;
    auto* const event = rd_kafka_queue_poll(queue, patience);
    bool const answered = event != nullptr && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(handle);
    if (!answered) {
        throw std::runtime_error{"Kafka makes no topic"};
    }
}

} // namespace once::example
