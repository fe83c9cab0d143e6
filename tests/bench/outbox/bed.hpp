// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/once.hpp>

#include "../sample.hpp"

#include <pqxx/connection>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace once::bench {

/// How much of everything.
struct sizes {
    int rounds = 5;
    std::int64_t backlog = 1'000'000;
    /// Of the largest backlog in the plot.
    std::int64_t largest = 1'000'000;
    /// Length of a sample of writers or of latency.
    std::chrono::duration<double> sample{1.5};
    /// Under an old snapshot, and as long without one.
    std::chrono::duration<double> snapshot{40};
    int latency_rate = 500;
    /// Writers, and commit_delay in microseconds, for the price of waking a reader.
    std::vector<int> crews{16, 64};
    std::vector<int> commit_delays{0, 1000};
};

/// The message with this number: 200 bytes of JSON, one of 10 000 keys.
[[nodiscard]] message message_number(std::int64_t number);

/// Stages the messages 0 to `count` - 1 through the library, so many to a transaction.
void publish_in_batches(pqxx::connection& connection, std::int64_t count, std::size_t at_once);

/// Stages messages, 1000 to a transaction, and lets the server settle.
void fill_outbox(std::string const& dsn, std::int64_t count);

/// Runs SQL, several statements allowed.
void run_sql(std::string const& dsn, std::string const& sql);

/// Accepts everything at once.
class null_publisher final : public publisher {
public:
    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point) override;
    [[nodiscard]] std::int64_t count() const noexcept { return m_count; }

private:
    std::atomic<std::int64_t> m_count = 0;
};

/// A subscription that ends with this object; the name is new.
class own_subscription {
public:
    own_subscription(std::string dsn, subscription_options const& options);
    ~own_subscription();
    own_subscription(own_subscription const&) = delete;
    own_subscription& operator=(own_subscription const&) = delete;
    [[nodiscard]] std::string const& name() const noexcept { return m_name; }

private:
    std::string m_dsn;
    std::string m_name;
};

/// A relay with a null publisher that runs beside something else.
class attached_reader {
public:
    explicit attached_reader(std::string const& dsn, bool listen = true);
    ~attached_reader();
    [[nodiscard]] std::int64_t received() const noexcept { return m_publisher.count(); }
    /// Waits until it has received as many.
    void await(std::int64_t count) const;

private:
    own_subscription m_subscription;
    database m_db;
    null_publisher m_publisher;
    relay m_relay;
    std::jthread m_thread;
};

} // namespace once::bench
