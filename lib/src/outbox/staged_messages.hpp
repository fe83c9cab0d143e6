// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/message.hpp>
#include <once/statement.hpp>

#include "sql/outbox_statements.hpp"
#include "text/random_ids.hpp"
#include "wire/binary_array.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace once::detail {

/// The id of a message: the one it has, or a new one.
[[nodiscard]] inline message_id id_of(message const& message) {
    return message.id ? *message.id : message_id::random();
}

/// Messages of one statement, as the arrays that it takes.
class message_arrays {
public:
    void add(message const& message, message_id const& id);
    [[nodiscard]] std::size_t size() const noexcept { return m_count; }
    /// Whether it can take a message with such an id: given by the application, or made here. Never both in one
    /// statement.
    [[nodiscard]] bool takes(bool given) const noexcept { return m_count == 0 || m_given == given; }
    [[nodiscard]] std::size_t bytes() const noexcept { return m_bytes; }
    /// $1 to $9 of publish_many, and $10 of schedule_many. Empty afterwards.
    [[nodiscard]] parameters take(bool with_due_times);
    /// What publish takes, when there is one message, for now: it costs the server two thirds. Empty afterwards.
    [[nodiscard]] std::optional<parameters> take_one();

private:
    void put(message const& message, message_id const& id);

    // The first message, until there is a second one.
    std::optional<std::pair<message, message_id>> m_first;
    binary_array m_topics{element_type::text};
    binary_array m_keys{element_type::text};
    binary_array m_json{element_type::json};
    binary_array m_byte_payloads{element_type::bytea};
    binary_array m_content_types{element_type::text};
    binary_array m_headers{element_type::json};
    binary_array m_traceparents{element_type::text};
    binary_array m_ids{element_type::uuid};
    binary_array m_due_times{element_type::timestamptz};
    std::size_t m_count = 0;
    std::size_t m_bytes = 0;
    bool m_given = false;
};

/// Collects messages and turns them into statements: those that are due apart from those that come later.
/**
 * Ids that the library makes are new by construction, so nobody looks for them, and they travel as they are. Those that
 * the application gave are in statements of their own.
 */
class staged_messages {
public:
    /// Beyond this many bytes or messages `full` says so. A larger statement is not faster; it only needs more memory,
    /// on both sides.
    static constexpr std::size_t most_bytes = std::size_t{1024} * 1024;
    static constexpr std::size_t most_messages = 4096;

    /// @throws once::invalid_argument naming the field; nothing was added then
    message_id add(message const& message);

    [[nodiscard]] bool empty() const noexcept {
        return m_closed.empty() && m_now.size() + m_later.size() == 0;
    }
    [[nodiscard]] bool full() const noexcept;

    /// The statements that stage what was collected. Empty afterwards.
    [[nodiscard]] std::vector<statement> take(sql::outbox_statements const& texts);

private:
    struct closed {
        std::string sql::outbox_statements::* text;
        parameters values;
    };

    void close(bool later);

    message_arrays m_now;
    message_arrays m_later;
    // Before those, in their order.
    std::vector<closed> m_closed;
    std::size_t m_closed_bytes = 0;
    std::size_t m_closed_messages = 0;
    random_ids m_ids;
};

/// The statement that stages one message.
[[nodiscard]] statement stage_one(message const& message, message_id const& id,
                                  sql::outbox_statements const& texts);

} // namespace once::detail
