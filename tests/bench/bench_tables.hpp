// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace once::bench {

/// The business write, the same in all variants: $1 customer, $2 cents.
inline constexpr std::string_view insert_order =
    "insert into bench.orders (customer, cents) values ($1, $2::bigint)";

/// The same for the form whose last statement is the response; returns about 200 bytes of JSON.
inline constexpr std::string_view insert_order_returning =
    "insert into bench.orders (customer, cents) values ($1, $2::bigint) "
    "returning id, customer, cents, repeat('x', 130) as detail";

/// One message into an outbox: $1 topic, $2 key, $3 payload.
inline constexpr std::string_view insert_outbox =
    "insert into bench.outbox (topic, key, payload) values ($1, $2, $3::json)";

inline constexpr std::string_view customer = "alice";
inline constexpr std::string_view topic = "order.created";
inline constexpr std::int64_t cents = 4200;

/// 100 bytes of JSON for the outbox.
[[nodiscard]] std::string const& payload();
/// 200 bytes of JSON, the stored response.
[[nodiscard]] std::string const& response_text();
/// What the request is told apart by; about 100 bytes.
[[nodiscard]] std::string const& request_text();
inline constexpr std::string_view scope = "POST /orders alice";

/// Creates the schema bench: orders, outbox, and the idempotency table of the hand-written variant.
void create_tables(std::string const& dsn);

/// Empties them and once.idempotency_record, and starts with a fresh checkpoint.
void empty_tables(std::string const& dsn);

/// Rows by table.
struct row_counts {
    std::int64_t orders = 0;
    std::int64_t outbox = 0;
    std::int64_t by_hand = 0;
    std::int64_t records = 0;
    bool operator==(row_counts const&) const = default;
};
[[nodiscard]] row_counts count_rows(std::string const& dsn);

/// The first value of the first row.
[[nodiscard]] std::string ask(std::string const& dsn, std::string const& sql);

} // namespace once::bench
