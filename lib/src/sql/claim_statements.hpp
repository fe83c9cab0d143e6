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
    ///   $3  name      the role that the session began with
    /// Columns, here and in what is built on it: 0 null, 1 text, 'role' where the session was left in another role,
    /// 2 text, the name of the WAL file, which begins with the timeline.
    std::string settings;

    /// The settings and the claim by a row.
    ///   $1 to $3      as in settings
    ///   $4  text      scope
    ///   $5  text      key
    ///   $6  bytea     SHA-256 of the request, or null
    ///   $7  interval  retention
    ///   $8  interval  wait
    /// Inserts into idempotency_record by its primary key; waits for a transaction that holds the same key.
    /// First column: a claim_answer, whole (`composite_fields` takes it apart).
    std::string claim;

    /// The same for the one-round-trip form: no answer, and error ON001 unless the claim started.
    ///   $9  text      the newest timeline that this process has seen; ON068 where that of the server is older
    /// Column 2: null where it is the same, else the newer one.
    std::string claim_or_abort;

    /// The settings and the claim of a request whose record finish_request writes.
    ///   $1 to $6      as in claim
    ///   $7  interval  wait
    /// Takes the advisory lock of the request and reads its record. First column: null where there is no answer yet,
    /// else a claim_answer.
    std::string begin_request;

    /// The same for the one-round-trip form: no answer, and error ON001 where there is one.
    ///   $8            as $9 of claim_or_abort
    std::string begin_request_or_abort;

    /// The same as claim on a transaction of the caller's, without settings; a wait that ran out is an answer.
    ///   $1 to $3 are $4 to $6 of claim; $4 bigint retention, $5 bigint wait in milliseconds
    /// Columns: outcome, status, headers, content_type, body in hex, whatever bytea_output the caller's session has.
    std::string try_claim;

    /// The settings and the redemption of a token, in place of `claim`.
    ///   $1 to $3      as in settings
    ///   $4  text      SHA-256 of the token in hex: the key of its record
    ///   $5  text      principal
    ///   $6  text      purpose
    ///   $7 to $9      as $6 to $8 of claim
    /// Locks the token's row, then as claim. Columns as claim; outcome may be refused.
    std::string redeem;

    /// The same for the one-round-trip form: no row, and error ON020 when refused, ON001 unless it started.
    ///   $10           as $9 of claim_or_abort
    std::string redeem_or_abort;

    /// The same on a transaction of the caller's, without settings; a wait that ran out is an answer.
    ///   $1 to $4 are $4 to $7 of redeem; $5 bigint retention, $6 bigint wait in milliseconds
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
    ///   $6  text content type, $7 json body, $8 bytea body, $9 interval retention, $10 interval wait
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
