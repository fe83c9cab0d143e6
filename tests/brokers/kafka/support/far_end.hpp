// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "brokers/support/broker_server.hpp"

#include <cstdint>
#include <librdkafka/rdkafka.h>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

struct kafka_record {
    std::optional<std::string> key{};
    std::string value{};
    int partition = 0;
    std::vector<std::pair<std::string, std::string>> headers{};

    [[nodiscard]] std::string header(std::string const& name) const;
};

/// A topic of one test, and what it holds.
class kafka_topic {
public:
    /// @param config of the topic
    explicit kafka_topic(broker_server const& server, std::map<std::string, std::string> const& config = {},
                         int partitions = 3);
    ~kafka_topic();
    kafka_topic(kafka_topic const&) = delete;
    kafka_topic& operator=(kafka_topic const&) = delete;

    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    /// All that it holds, in the order of each partition.
    [[nodiscard]] std::vector<kafka_record> const& records();
    /// How many there are; 0 while the server is away.
    [[nodiscard]] std::size_t count();

private:
    void create(std::map<std::string, std::string> const& config);
    /// The end of a partition, if it is known in time.
    [[nodiscard]] std::optional<std::int64_t> end_of(int partition);

    std::string m_name;
    int m_partitions;
    rd_kafka_t* m_handle = nullptr;
    std::vector<std::int64_t> m_next;
    std::vector<kafka_record> m_records;
};

} // namespace once::testing
