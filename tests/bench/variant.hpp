// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "bench_tables.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace once::bench {

/// Keys as clients send them: random, so that they land anywhere in an index. Each thread has its own.
class key_source {
public:
    explicit key_source(std::uint64_t seed) : m_random{seed} {}
    /// 32 hexadecimal digits.
    [[nodiscard]] std::string next();

private:
    std::mt19937_64 m_random;
};

/// One connection at work. Every call checks its own result and throws when the job was not done.
class worker {
public:
    worker() = default;
    virtual ~worker() = default;
    worker(worker const&) = delete;
    worker(worker&&) = delete;
    worker& operator=(worker const&) = delete;
    worker& operator=(worker&&) = delete;

    virtual void run(key_source& keys) = 0;
};

/// A way to do a job.
struct variant {
    std::string_view name;
    /// Round trips of one job; a repeat through once sends a ROLLBACK behind itself that nobody waits for.
    int round_trips;
    /// Rows that one job leaves behind.
    row_counts leaves{};
    std::function<std::unique_ptr<worker>(std::string const& dsn)> connect{};
    std::string_view what{};
};

/// All, in the order of the tables.
[[nodiscard]] std::vector<variant> const& variants();
[[nodiscard]] variant const& variant_named(std::string_view name);

// by_hand.cpp: libpqxx alone
[[nodiscard]] std::unique_ptr<worker> select_one(std::string const& dsn);
[[nodiscard]] std::unique_ptr<worker> bare(std::string const& dsn);
[[nodiscard]] std::unique_ptr<worker> hand_written(std::string const& dsn);
[[nodiscard]] std::unique_ptr<worker> primary_key_select(std::string const& dsn);

// plain_sql.cpp: libpq alone, into the table of once
[[nodiscard]] std::unique_ptr<worker> plain_sql(std::string const& dsn, bool one_trip);

// through_once.cpp
/// What a callback of `execute` sends.
enum class business { none, prepared, plain_sql };
[[nodiscard]] std::unique_ptr<worker> with_callback(std::string const& dsn, business how, bool outbox,
                                                    bool fingerprint = true);
[[nodiscard]] std::unique_ptr<worker> in_one_trip(std::string const& dsn, bool outbox);
[[nodiscard]] std::unique_ptr<worker> replay(std::string const& dsn);

// other_tools.cpp
/// `batch` messages in one transaction; 1 is the single form.
[[nodiscard]] std::unique_ptr<worker> through_inbox(std::string const& dsn, std::size_t batch);
[[nodiscard]] std::unique_ptr<worker> through_window(std::string const& dsn);
/// Two phases in the database and a call between them that takes no time.
[[nodiscard]] std::unique_ptr<worker> through_operation(std::string const& dsn);

/// Records that `replay` and `primary_key_select` find: stores them.
void store_records_to_find(std::string const& dsn);
inline constexpr int records_to_find = 200;
[[nodiscard]] std::string key_to_find(std::uint64_t number);

} // namespace once::bench
