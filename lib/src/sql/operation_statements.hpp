// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// The statements of operations for one schema. What they lock is the row of the operation, by its key.
struct operation_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit operation_statements(std::string_view schema);

    /// Begins an operation or takes it over.
    ///   $1 text scope, $2 text key, $3 bytea SHA-256 of the request or null, $4 bytea preimage or null,
    ///   $5 text name, $6 text[] phases, $7 text kind of call of the first phase or null, $8 json data,
    ///   $9 uuid owner, $10 bigint lease ms, $11 integer attempts, $12 bigint retention ms, $13 bigint wait ms
    /// Columns: those of operation_answer, the body in hex. Claims the idempotency record; waits up to $13.
    std::string begin;
    /// $1 text scope, $2 text key, $3 uuid owner, $4 bigint lease ms. Columns as begin. Waits for the row.
    std::string retake;
    /// $1 text[] names, $2 uuid owner, $3 bigint lease ms, $4 integer attempts. Columns as begin. Skips locked rows.
    std::string next;
    /// $1 text scope, $2 text key, $3 bigint fence, $4 text from, $5 text to, $6 text call or null, $7 json data,
    /// $8 bigint lease ms. Raises ON040.
    std::string advance;
    /// $1 text scope, $2 text key, $3 bigint fence, $4 bigint lease ms. Raises ON040.
    std::string renew;
    /// $1 text scope, $2 text key, $3 bigint fence, $4 text error, $5 bigint pause ms, $6 integer attempts,
    /// $7 boolean whether the call may have been made. One text: the state. Raises ON040.
    std::string release;
    /// $1 text scope, $2 text key, $3 text phase. One text: the key to call with.
    std::string call_key;
    /// $1 text scope, $2 text key, $3 bigint fence, $4 text from, $5 json data, $6 to $10 the response as complete()
    /// takes it. Raises ON040, ON042.
    std::string finish;
};

} // namespace once::sql
