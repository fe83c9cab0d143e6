// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/export.hpp>
#include <once/message.hpp>
#include <once/statement.hpp>

#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <vector>

namespace once {

/// Stages a message in a transaction that the caller owns: it is delivered if and only if that commits.
/**
 * In a callback of `execute` or `transact` prefer `transaction::publish`, which costs no round trip.
 *
 * @par Transaction
 * One round trip. Inserts one row into `outbox`, or `scheduled_message` when it has a time. A message with an id of
 * the application's waits for a transaction that stages the same id.
 * @par Throws
 * `once::invalid_argument` before anything is sent, and `once::configuration_error` when the connection's
 * client_encoding is not UTF8; else what libpqxx throws, and `tx` is then unusable: SQLSTATE ON050 when the id was
 * used for other content.
 * @par Thread safety
 * That of `tx`.
 */
ONCE_EXPORT message_id publish(borrowed const& tx, message const& message);

/// Stages any number of messages, in their order; returns their ids.
/**
 * All are checked before the first is sent. As arrays in PostgreSQL's binary format, in statements of about 1 MiB or
 * 4096 messages each, one round trip per statement. When one of a statement's messages has an id of the application's,
 * all of that statement are remembered by id. Otherwise as above.
 */
ONCE_EXPORT std::vector<message_id> publish(borrowed const& tx, std::span<message const> messages);

/// Stages messages that are made one at a time, in bounded memory; returns how many it was given.
/**
 * @param next makes the next message, or nothing at the end. It must not use `tx`.
 * When it throws, or a message is not valid, the exception passes through, and what was sent before is staged if the
 * caller commits all the same. Otherwise as above.
 */
ONCE_EXPORT std::uint64_t publish_each(borrowed const& tx,
                                       std::function<std::optional<message>()> const& next);

/// The same for a range, which may be lazy: it is walked once.
template <std::ranges::input_range Range>
    requires std::convertible_to<std::ranges::range_reference_t<Range>, message>
std::uint64_t publish_each(borrowed const& tx, Range&& range) {
    auto at = std::ranges::begin(range);
    auto const end = std::ranges::end(range);
    return publish_each(tx, std::function<std::optional<message>()>{[&]() -> std::optional<message> {
                            if (at == end) {
                                return std::nullopt;
                            }
                            message made = *at;
                            ++at;
                            return made;
                        }});
}

/// The statement that stages a message, for the one-round-trip form of `execute` and for `transaction::at_commit`.
/**
 * It yields one row. A message without an id gets one now; so the statement stages the same message however often
 * `execute` has to begin anew.
 * @param schema the schema that holds the library's objects
 * @throws once::invalid_argument
 */
[[nodiscard]] ONCE_EXPORT statement publish_statement(message const& message,
                                                      std::string_view schema = "once");

} // namespace once
