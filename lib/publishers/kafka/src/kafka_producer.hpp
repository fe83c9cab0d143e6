// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/kafka_publisher.hpp>

#include <chrono>
#include <librdkafka/rdkafka.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace once::kafka {

using time_point = std::chrono::steady_clock::time_point;

[[nodiscard]] int milliseconds_until(time_point when);

/// The settings of a producer.
/// @throws once::invalid_argument naming the property
class settings {
public:
    settings(std::string const& brokers, kafka_options const& options);
    /// One for each producer: it becomes its own.
    [[nodiscard]] rd_kafka_conf_t* copy() const { return rd_kafka_conf_dup(m_conf.get()); }

private:
    struct destroy {
        void operator()(rd_kafka_conf_t* conf) const noexcept { rd_kafka_conf_destroy(conf); }
    };
    std::unique_ptr<rd_kafka_conf_t, destroy> m_conf;
};

/// What a producer tells.
struct report {
    std::size_t place = 0;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool persisted = false;
};

/// A producer of librdkafka, with what it has said of its connections.
class producer {
public:
    explicit producer(settings const& how);
    ~producer();
    producer(producer const&) = delete;
    producer& operator=(producer const&) = delete;

    [[nodiscard]] rd_kafka_t* handle() const noexcept { return m_handle; }

    /// Reports that are there, waited for if there is none yet; also errors are noted.
    [[nodiscard]] std::vector<report> poll(time_point until);

    /// Since when no broker can be reached.
    [[nodiscard]] std::optional<time_point> all_down_since() const noexcept { return m_all_down_since; }
    /// A broker refuses us, or nothing will ever be sent any more. No waiting changes it.
    [[nodiscard]] bool is_refused() const noexcept { return m_refused; }
    /// What was last said, for people.
    [[nodiscard]] std::string const& last_error() const noexcept { return m_last_error; }

private:
    void note(rd_kafka_event_t* event);

    rd_kafka_t* m_handle = nullptr;
    rd_kafka_queue_t* m_queue = nullptr;
    std::optional<time_point> m_all_down_since;
    bool m_refused = false;
    std::string m_last_error;
};

} // namespace once::kafka
