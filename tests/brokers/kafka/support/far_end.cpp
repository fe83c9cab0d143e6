// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "far_end.hpp"

#include "support/wait_until.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>

namespace once::testing {

namespace {

kafka_record record_of(rd_kafka_message_t* message) {
    kafka_record made{.value = {static_cast<char const*>(message->payload), message->len},
                      .partition = message->partition};
    if (message->key != nullptr) {
        made.key.emplace(static_cast<char const*>(message->key), message->key_len);
    }
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        char const* name = nullptr;
        void const* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0;
             rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
            made.headers.emplace_back(name, std::string{static_cast<char const*>(value), size});
        }
    }
    return made;
}

} // namespace

std::string kafka_record::header(std::string const& name) const {
    for (auto const& one : headers) {
        if (one.first == name) {
            return one.second;
        }
    }
    return "";
}

kafka_topic::kafka_topic(broker_server const& server, std::map<std::string, std::string> const& config,
                         int partitions)
    : m_name{unique_name("test")}, m_partitions{partitions}, m_next(static_cast<std::size_t>(partitions)) {
    auto* const conf = rd_kafka_conf_new();
    for (auto const& [name, value] : std::map<std::string, std::string>{{"bootstrap.servers", server.url()},
                                                                        {"group.id", "far end"},
                                                                        {"enable.auto.commit", "false"},
                                                                        {"auto.offset.reset", "earliest"},
                                                                        {"reconnect.backoff.ms", "10"},
                                                                        {"reconnect.backoff.max.ms", "200"},
                                                                        {"fetch.wait.max.ms", "20"},
                                                                        {"log_level", "0"}}) {
        std::array<char, 512> why{};
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
            RD_KAFKA_CONF_OK) {
            throw std::runtime_error{why.data()};
        }
    }
    std::array<char, 512> why{};
    m_handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
    if (m_handle == nullptr) {
        throw std::runtime_error{why.data()};
    }
    rd_kafka_poll_set_consumer(m_handle);
    create(config);
}

kafka_topic::~kafka_topic() {
    rd_kafka_destroy(m_handle);
}

void kafka_topic::create(std::map<std::string, std::string> const& config) {
    auto* const wanted = rd_kafka_NewTopic_new(m_name.c_str(), m_partitions, 1, nullptr, 0);
    for (auto const& [name, value] : config) {
        rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str());
    }
    auto* const queue = rd_kafka_queue_new(m_handle);
    auto* list = wanted;
    rd_kafka_CreateTopics(m_handle, &list, 1, nullptr, queue);
    constexpr int patience = 30'000;
    auto* const event = rd_kafka_queue_poll(queue, patience);
    std::string problem = event == nullptr ? "no answer" : "";
    if (event != nullptr && rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        problem = rd_kafka_event_error_string(event);
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    if (!problem.empty()) {
        throw std::runtime_error{"the topic was not made: " + problem};
    }
    // It is there a moment later.
    if (!wait_until([&] { return end_of(m_partitions - 1).has_value(); })) {
        throw std::runtime_error{"the topic is not there"};
    }
}

std::optional<std::int64_t> kafka_topic::end_of(int partition) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    constexpr int patience = 2'000;
    if (rd_kafka_query_watermark_offsets(m_handle, m_name.c_str(), partition, &low, &high, patience) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return {};
    }
    return high;
}

std::size_t kafka_topic::count() {
    std::int64_t sum = 0;
    for (int i = 0; i < m_partitions; ++i) {
        sum += end_of(i).value_or(0);
    }
    return static_cast<std::size_t>(sum);
}

std::vector<kafka_record> const& kafka_topic::records() {
    std::vector<std::int64_t> ends;
    for (int i = 0; i < m_partitions; ++i) {
        auto const end = end_of(i);
        if (!end) {
            return m_records; // the server is away
        }
        ends.push_back(*end);
    }
    auto* const list = rd_kafka_topic_partition_list_new(m_partitions);
    for (int i = 0; i < m_partitions; ++i) {
        rd_kafka_topic_partition_list_add(list, m_name.c_str(), i)->offset =
            m_next[static_cast<std::size_t>(i)];
    }
    rd_kafka_assign(m_handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (m_next != ends && std::chrono::steady_clock::now() < deadline) {
        constexpr int patience = 100;
        auto* const message = rd_kafka_consumer_poll(m_handle, patience);
        if (message == nullptr) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            auto& next = m_next[static_cast<std::size_t>(message->partition)];
            if (message->offset >= next &&
                message->offset < ends[static_cast<std::size_t>(message->partition)]) {
                next = message->offset + 1;
                m_records.push_back(record_of(message));
            }
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(m_handle, nullptr);
    return m_records;
}

} // namespace once::testing
