// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// The library's statements for one schema. Each begins with a comment that names it in pg_stat_activity.
struct claim_statements {
    /// @param schema a checked identifier; it is quoted here
    explicit claim_statements(std::string_view schema);

    /// What the transaction is set to when it has no claim.
    ///   $1  boolean   whether to raise synchronous_commit
    ///   $2  text      milliseconds after which the server ends the transaction if it is idle
    /// Last column, here and in what is built on it: text, the name of the WAL file, which begins with the timeline.
    std::string settings;

    /// The settings and the claim by a row.
    ///   $1, $2        as in settings
    ///   $3  text      scope
    ///   $4  text      key
    ///   $5  bytea     SHA-256 of the request, or null
    ///   $6  bigint    retention in milliseconds
    ///   $7  bigint    wait in milliseconds
    /// Inserts into idempotency_record by its primary key; waits for a transaction that holds the same key.
    /// First column: a claim_answer, whole (`composite_fields` takes it apart).
    std::string claim;

    /// The same for the one-round-trip form: no answer, and error ON001 unless the claim started.
    ///   $8  text      the newest timeline that this process has seen; ON068 where that of the server is older
    std::string claim_or_abort;

    /// The settings and the claim of a request whose record finish_request writes.
    ///   $1 to $5      as in claim
    ///   $6  bigint    wait in milliseconds
    /// Takes the advisory lock of the request and reads its record. First column: null where there is no answer yet,
    /// else a claim_answer.
    std::string begin_request;

    /// The same for the one-round-trip form: no answer, and error ON001 where there is one.
    ///   $7            as $8 of claim_or_abort
    std::string begin_request_or_abort;

    /// The same as claim on a transaction of the caller's, without settings; a wait that ran out is an answer.
    ///   $1 to $5 are $3 to $7 of claim.
    /// Columns: outcome, status, headers, content_type, body in hex, whatever bytea_output the caller's session has.
    std::string try_claim;

    /// The settings and the redemption of a token, in place of `claim`.
    ///   $1, $2        as in settings
    ///   $3  text      SHA-256 of the token in hex: the key of its record
    ///   $4  text      principal
    ///   $5  text      purpose
    ///   $6 to $8      as $5 to $7 of claim
    /// Locks the token's row, then as claim. Columns as claim; outcome may be refused.
    std::string redeem;

    /// The same for the one-round-trip form: no row, and error ON020 when refused, ON001 unless it started.
    ///   $9            as $8 of claim_or_abort
    std::string redeem_or_abort;

    /// The same on a transaction of the caller's, without settings; a wait that ran out is an answer.
    ///   $1 to $6 are $3 to $8 of redeem.
    /// Columns as try_claim.
    std::string try_redeem;

    /// What a repeat would be told. Reads only.
    ///   $1  text scope, $2 text key, $3 bytea SHA-256 or null
    /// First column as claim.
    std::string lookup;

    /// Stores the response; raises ON002 when there is no claim. Updates the row by its primary key.
    ///   $1  text scope, $2 text key, $3 integer status, $4 json headers, $5 text content type,
    ///   $6  json body, $7 bytea body
    std::string complete;

    /// Stores the record of a request that began with begin_request: inserts it by its primary key.
    ///   $1  text scope, $2 text key, $3 bytea SHA-256 or null, $4 integer status, $5 json headers,
    ///   $6  text content type, $7 json body, $8 bytea body, $9 bigint retention, $10 bigint wait in milliseconds
    /// Errors: 40001 another transaction was first, 55P03 the wait ran out, ON006 claimed again in this transaction.
    std::string finish_request;

    /// complete with a statement of the caller wrapped, so that its one row becomes the stored response.
    /**
     * @param sql        the caller's, with parameters $1 … $`parameters`
     * @param parameters how many it has; scope, key and status are the next three
     * Returns one text: what was stored.
     */
    [[nodiscard]] std::string complete_with_row(std::string_view sql, std::size_t parameters) const;

    /// finish_request in the same way.
    /// @param parameters how many it has; scope, key, SHA-256, status, retention and wait are the next six
    [[nodiscard]] std::string finish_request_with_row(std::string_view sql, std::size_t parameters) const;

private:
    std::string m_schema;
};

} // namespace once::sql
