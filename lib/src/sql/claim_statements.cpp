// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/claim_statements.hpp"

#include "text/quote.hpp"

namespace once::sql {

namespace {

// Set for this transaction only, so that a pooler can hand the session to anybody afterwards.
// synchronous_commit: only ever raised, and touched only if there is something to raise. The idle timeout: only ever
// lowered; it bounds how long the server keeps a claim whose client has vanished. 0 is no timeout at all. The name of
// the WAL file tells the timeline, also of a server that a pooler has changed to.
constexpr std::string_view settings_list = R"sql(
    case when $1::boolean and current_setting('synchronous_commit') in ('off', 'local', 'remote_write')
         then set_config('synchronous_commit', 'on', true) end,
    set_config('idle_in_transaction_session_timeout',
               case when current_setting('idle_in_transaction_session_timeout') = '0' then $2::bigint
                    else least(extract(epoch from current_setting('idle_in_transaction_session_timeout')::interval) *
                        1000,
                               $2::bigint)::bigint end::text, true),
    pg_walfile_name(pg_current_wal_lsn()))sql";

constexpr std::string_view claim_arguments = R"sql(($3, $4, coalesce($5::bytea, sha256($6::bytea)),
        $7::bigint * interval '1 millisecond', $8::bigint * interval '1 millisecond'))sql";

constexpr std::string_view redeem_arguments =
    R"sql((decode($3, 'hex'), $4, $5, coalesce($6::bytea, sha256($7::bytea)),
        $8::bigint * interval '1 millisecond', $9::bigint * interval '1 millisecond'))sql";

// For the one-round-trip form, where the client can look at nothing before COMMIT. To compare here, and to call the
// function only for the error, costs a third of a call.
std::string timeline_check(std::string const& schema, std::string const& newest) {
    return R"sql(,
    case when pg_walfile_name(pg_current_wal_lsn()) collate "C" < )sql" +
           newest + " then " + schema + ".require_timeline(" + newest + ") end";
}

} // namespace

claim_statements::claim_statements(std::string_view schema) : m_schema{quote_identifier(schema)} {
    using namespace std::string_literals;
    settings = "/* once: settings */ select"s.append(settings_list);
    // The functions stand in the select list: in FROM each answer would pass through a store of its own.
    claim = "/* once: claim */ select "s.append(m_schema + ".claim")
                .append(claim_arguments)
                .append(",")
                .append(settings_list);
    claim_or_abort = "/* once: claim_or_abort */ select "s.append(m_schema + ".claim_or_abort")
                         .append(claim_arguments)
                         .append(timeline_check(m_schema, "$9"))
                         .append(",")
                         .append(settings_list);
    try_claim =
        "/* once: try_claim */ select a.outcome, a.status, a.headers, a.content_type, encode(a.body, 'hex')"
        " from " +
        m_schema +
        ".try_claim($1, $2, coalesce($3::bytea, sha256($4::bytea)),"
        " $5::bigint * interval '1 millisecond', $6::bigint * interval '1 millisecond') as a";
    redeem = "/* once: redeem */ select "s.append(m_schema + ".redeem_token")
                 .append(redeem_arguments)
                 .append(",")
                 .append(settings_list);
    redeem_or_abort = "/* once: redeem_or_abort */ select "s.append(m_schema + ".redeem_token_or_abort")
                          .append(redeem_arguments)
                          .append(timeline_check(m_schema, "$10"))
                          .append(",")
                          .append(settings_list);
    try_redeem =
        "/* once: try_redeem */ select a.outcome, a.status, a.headers, a.content_type, encode(a.body, 'hex')"
        " from " +
        m_schema +
        ".try_redeem_token(decode($1, 'hex'), $2, $3, coalesce($4::bytea, sha256($5::bytea)),"
        " $6::bigint * interval '1 millisecond', $7::bigint * interval '1 millisecond') as a";
    lookup =
        "/* once: lookup */ select " + m_schema + ".lookup($1, $2, coalesce($3::bytea, sha256($4::bytea)))";
    complete = "/* once: complete */ select " + m_schema + ".complete($1, $2, $3, $4, $5, $6, $7)";
}

std::string claim_statements::complete_with_row(std::string_view sql, std::size_t parameters) const {
    auto const placeholder = [&](std::size_t n) {
        return std::string{'$'}.append(std::to_string(parameters + n));
    };
    // A line break ends a comment that the caller's text may end with.
    return "/* once: complete_with_row */ with answer as (" + std::string{sql} + "\n)\nselect " + m_schema +
           ".complete_with_row(" + placeholder(1) + ", " + placeholder(2) + ", " + placeholder(3) +
           "::integer, (select row_to_json(answer.*) from answer))";
}

} // namespace once::sql
