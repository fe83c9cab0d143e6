// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// The statements of the inbox for one schema.
struct inbox_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit inbox_statements(std::string_view schema);

    /// Takes one message in. One row, one text: the outcome.
    ///   $1  text    consumer
    ///   $2  uuid    message id
    ///   $3  bytea   SHA-256 of the message, or null
    ///   $4  bigint  when it was sent, in milliseconds since 1970, or null
    ///   $5  bigint  retention in milliseconds
    ///   $6  bigint  wait in milliseconds
    /// Inserts into inbox by its primary key; waits for a transaction that holds the same message.
    std::string receive;

    /// Takes many in. One row for each, in the order given, one text: the outcome.
    ///   $1  text    consumer
    ///   $2 to $4    arrays of what receive() takes; elements may be null, but for ids
    ///   $5, $6      as in receive()
    /// Inserts in the order of the ids. Raises 55P03 when a wait ran out.
    std::string receive_many;

    /// Takes many in by their ids alone. One row for each that is new, in the order given: the id as text.
    ///   $1  text    consumer
    ///   $2  uuid[]  message ids
    ///   $3, $4      retention and wait in milliseconds
    std::string new_ones;
};

} // namespace once::sql
