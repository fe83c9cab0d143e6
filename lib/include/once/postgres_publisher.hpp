// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/publisher.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace once {

/// How messages are written into a second database. Checked when the publisher is constructed.
struct postgres_publisher_options {
    /// Under this name the inbox of the other database remembers the messages. 1 to 255 bytes of printable ASCII.
    std::string consumer{};

    /// The statement that runs once for each message that is new there. It finds the message as the one row of
    /// `message`:
    /**
     * | column | type | |
     * | --- | --- | --- |
     * | id | uuid | |
     * | given_id | uuid | that its application gave, or null |
     * | topic | text | |
     * | key | text | null when it has none |
     * | payload | json | when it is JSON, the exact text; else null |
     * | payload_bytes | bytea | always |
     * | content_type | text | media type of the payload, or null |
     * | headers | json | [["name","value"], ...] |
     * | traceparent | text | or null |
     * | service | text | that staged it |
     * | published_at | timestamptz | when it was staged |
     *
     * For example: `insert into invoice (order_number, amount) select payload->>'number', cast(payload->>'amount' as
     * bigint) from message`. One statement, that may begin with WITH and with comments; to do more, call a function.
     * Its rows are ignored.
     */
    std::string sql{};

    /// How long the inbox remembers a message, 1 second to 3660 days. Longer than messages can be on their way, parked
    /// or dead. An id that an application gave is free again after 60 days, so with more than 30 here the second
    /// message of such an id is refused, or taken for the first.
    detail::time_field<"postgres_publisher_options.retention"> retention{std::chrono::hours{24 * 30}};
};

/// Writes each message into another PostgreSQL database, with exactly one effect and no broker in between.
/**
 * The inbox of that database and the statement are one transaction there: a message that comes again, because the
 * answer to COMMIT was lost or a relay died, finds itself in the inbox and does nothing.
 *
 * | there | result |
 * | --- | --- |
 * | committed, or in the inbox already | accepted |
 * | SQLSTATE 22... (the data do not fit) | rejected |
 * | the id is in the inbox with other content, or the message is older than the inbox remembers | rejected |
 * | any other error of the statement | retry |
 * | no connection, or an error of the inbox or of COMMIT that no message can cause | unavailable |
 *
 * A full disk (53100), missing rights (42501), a table that is not there (42P01) and the like mostly speak of the
 * target, but a trigger may raise them for one row. When nothing else was committed, the report says "unavailable"
 * with them, and the relay finds out which it is.
 *
 * When a statement fails, what came before it in the batch is committed without it, and what comes after it is tried in
 * a transaction of its own. Errors name the SQLSTATE, and the constraint, table or column that the server names; never
 * its message, which may quote data.
 *
 * How many messages one transaction has follows from the time that they take: what was committed stays, and where
 * time ran out the next transaction has fewer.
 *
 * @par Thread safety
 * One thread at a time.
 */
class ONCE_EXPORT postgres_publisher final : public publisher {
public:
    /// @param target another database with the library's schema; must outlive the publisher
    /// @throws once::invalid_argument naming the field
    postgres_publisher(database& target, postgres_publisher_options options);
    ~postgres_publisher() override;

    /// Lets the target database look at the statement, without running it: its syntax, its names, its rights.
    /**
     * @throws once::configuration_error with the server's text; no waiting can fix that. What `database::check`
     *         throws, and pqxx::broken_connection when the target cannot be reached.
     */
    void check();

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    struct state;
    std::unique_ptr<state> m_state;
};

} // namespace once
