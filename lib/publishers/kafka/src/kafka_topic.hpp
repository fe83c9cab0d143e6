// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "kafka_producer.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace once::kafka {

/// Whether a topic can have this name.
[[nodiscard]] bool is_topic_name(std::string const& name);

/// What the brokers say of a topic.
struct topic {
    /// Why nothing can be written to it at present; empty when something can.
    std::string problem{};
    /// max.message.bytes, where that may be asked.
    std::optional<std::int64_t> max_message_bytes{};
    std::optional<int> min_insync_replicas{};
    /// Of the partition that has the fewest.
    int replicas = 0;
};

/// Asks for it. Nothing when there is no answer in time.
[[nodiscard]] std::optional<topic> look_at(producer& from, std::string const& name, time_point deadline);

} // namespace once::kafka
