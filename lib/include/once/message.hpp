// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/message_id.hpp>
#include <once/response.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace once {

/// Longest payload of a message, in bytes. Put what is larger into a table or a store, and its name into the
/// message.
inline constexpr std::size_t max_payload_bytes = std::size_t{1024} * 1024;

/// A message to stage: it is delivered if and only if the transaction that staged it commits.
struct message {
    /// What it is about, for example "orders.placed": words of ASCII letters, digits, _ and -, joined by dots, up to
    /// 249 bytes. That is what every broker can take as a name.
    std::string topic{};
    /// Messages of one key are delivered in the order in which their transactions wrote, as far as something (a row
    /// lock, a version) has put these in an order. UTF-8 without control characters, up to 255 bytes. Empty: no order.
    std::string key{};
    /// Up to `max_payload_bytes`. JSON is kept as text, anything else as bytes; both come out byte for byte.
    body payload{};
    /// Up to 64, with 8 KiB of names and values; rules as for `response::headers`.
    std::vector<header> headers{};
    /// W3C Trace Context of the request that caused it: "00-<32 hex>-<16 hex>-<2 hex>", lower case. Empty: none.
    std::string traceparent{};
    /// Leave it empty, and an id is made. Give one to make staging itself idempotent: the same id with the same content
    /// again stages nothing, with other content it is an error (SQLSTATE ON050). It counts within the service, for 60
    /// days. Receivers get an id made from both (`delivery::id`), and the given one beside it (`delivery::given_id`).
    /// For an id that is a text, see `message_id::from_name`.
    std::optional<message_id> id{};
    /// Not before this time by the clock of the database; empty: as soon as the transaction has committed.
    std::optional<std::chrono::sys_time<std::chrono::microseconds>> deliver_at{};
};

/// Checks the rules above; every entry of the library does so itself before it sends anything.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(message const& message);

/// A message on its way to a receiver. Identity, bytes and headers are the same at every attempt.
struct delivery {
    /// Receivers detect repeats by it. Unique over all services.
    message_id id;
    /// The id that the application gave; empty when it gave none. Another service may have given the same.
    std::optional<message_id> given_id{};
    std::string topic{};
    /// Empty: it has none.
    std::string key{};
    body payload{};
    std::vector<header> headers{};
    std::string traceparent{};
    /// The service that staged it.
    std::string service{};
    /// When it was staged, by the clock of the database.
    std::chrono::sys_time<std::chrono::microseconds> published_at{};
    /// Its place in the log of the subscription. Not an identity: after a failover that lost commits, numbers come
    /// again.
    std::int64_t position = 0;
    /// 1 for the first attempt.
    int attempt = 1;
};

} // namespace once
