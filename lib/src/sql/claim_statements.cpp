// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sql/claim_statements.hpp"

#include "sql/in_schema.hpp"
#include "text/quote.hpp"

namespace once::sql {

namespace {

// Set for this transaction only, so that a pooler can hand the session to anybody afterwards.
// synchronous_commit: only ever raised, and touched only if there is something to raise. The idle timeout: only ever
// lowered; it bounds how long the server keeps a claim whose client has vanished. 0 is no timeout at all. The role: a
// callback may have left another one. A session is seldom set to anything else, and then the function looks closer: an
// expression that is not reached costs the server nearly as much as one that is.
constexpr std::string_view settings_list = R"sql(,
    case when current_user = $3::name and current_setting('synchronous_commit') = 'on'
              and current_setting('idle_in_transaction_session_timeout') = '0'
         then set_config('idle_in_transaction_session_timeout', $2::text, true)
         else {schema}.set_up_transaction($1::boolean, $2::text, $3::name) end)sql";

// The name of the WAL file tells the timeline, also of a server that a pooler has changed to.
constexpr std::string_view timeline = R"sql(,
    pg_walfile_name(pg_current_wal_lsn()))sql";
// For the one-round-trip form, where the client can look at nothing before COMMIT. To compare here, and to call the
// function only for the error, or for a newer timeline, costs a third of a call.
constexpr std::string_view timeline_check = R"sql(,
    case when not starts_with(pg_walfile_name(pg_current_wal_lsn()), {newest}::text)
         then {schema}.require_timeline({newest}::text) end)sql";

// The functions stand in the select list: in FROM each answer would pass through a store of its own.
constexpr std::string_view claim_call =
    R"sql({schema}.claim($4, $5, $6::bytea, $7::interval, $8::interval))sql";
constexpr std::string_view claim_or_abort_call =
    R"sql({schema}.claim_or_abort($4, $5, $6::bytea, $7::interval, $8::interval))sql";
constexpr std::string_view begin_request_call =
    R"sql({schema}.begin_request($4, $5, $6::bytea, $7::interval))sql";
constexpr std::string_view begin_request_or_abort_call =
    R"sql({schema}.begin_request_or_abort($4, $5, $6::bytea, $7::interval))sql";
constexpr std::string_view redeem_call =
    R"sql({schema}.redeem_token(decode($4, 'hex'), $5, $6, $7::bytea, $8::interval, $9::interval))sql";
constexpr std::string_view redeem_or_abort_call =
    R"sql({schema}.redeem_token_or_abort(decode($4, 'hex'), $5, $6, $7::bytea, $8::interval, $9::interval))sql";

constexpr std::string_view try_claim_text = R"sql(/* once: try_claim */
select a.outcome, a.status, a.headers, a.content_type, encode(a.body, 'hex')
from {schema}.try_claim($1, $2, $3::bytea,
    $4::bigint * interval '1 millisecond', $5::bigint * interval '1 millisecond') as a)sql";
constexpr std::string_view try_redeem_text = R"sql(/* once: try_redeem */
select a.outcome, a.status, a.headers, a.content_type, encode(a.body, 'hex')
from {schema}.try_redeem_token(decode($1, 'hex'), $2, $3, $4::bytea,
    $5::bigint * interval '1 millisecond', $6::bigint * interval '1 millisecond') as a)sql";
constexpr std::string_view lookup_text = "/* once: lookup */ select {schema}.lookup($1, $2, $3::bytea)";
constexpr std::string_view complete_text =
    "/* once: complete */ select {schema}.complete($1, $2, $3, $4, $5, $6, $7)";
constexpr std::string_view finish_request_text = R"sql(/* once: finish_request */
select {schema}.finish_request($1, $2, $3::bytea, $4, $5, $6, $7, $8,
    $9::interval, $10::interval))sql";

std::string with(std::string text, std::string_view placeholder, std::string_view value) {
    for (auto at = text.find(placeholder); at != std::string::npos;
         at = text.find(placeholder, at + value.size())) {
        text.replace(at, placeholder.size(), value);
    }
    return text;
}

/// `call`, the settings and the timeline; with the check of that where `newest` is its parameter.
std::string head(std::string_view name, std::string_view call, std::string_view schema,
                 std::string_view newest = {}) {
    std::string text{name};
    text.append(" select ").append(call).append(settings_list);
    text.append(newest.empty() ? std::string{timeline}
                               : with(std::string{timeline_check}, "{newest}", newest));
    return in_schema(text, schema);
}

} // namespace

claim_statements::claim_statements(std::string_view schema) : m_schema{quote_identifier(schema)} {
    settings = head("/* once: settings */", "null", m_schema);
    claim = head("/* once: claim */", claim_call, m_schema);
    claim_or_abort = head("/* once: claim_or_abort */", claim_or_abort_call, m_schema, "$9");
    begin_request = head("/* once: begin_request */", begin_request_call, m_schema);
    begin_request_or_abort =
        head("/* once: begin_request_or_abort */", begin_request_or_abort_call, m_schema, "$8");
    redeem = head("/* once: redeem */", redeem_call, m_schema);
    redeem_or_abort = head("/* once: redeem_or_abort */", redeem_or_abort_call, m_schema, "$10");
    try_claim = in_schema(try_claim_text, m_schema);
    try_redeem = in_schema(try_redeem_text, m_schema);
    lookup = in_schema(lookup_text, m_schema);
    complete = in_schema(complete_text, m_schema);
    finish_request = in_schema(finish_request_text, m_schema);
}

namespace {

// A line break ends a comment that the caller's text may end with.
std::string with_row(std::string_view name, std::string_view sql, std::string_view call) {
    return std::string{name}.append(" with answer as (").append(sql).append("\n)\nselect ").append(call);
}

// Each {n} becomes the placeholder of the n-th parameter behind the caller's.
std::string numbered(std::string text, std::size_t parameters, std::size_t own) {
    for (std::size_t n = 1; n <= own; ++n) {
        text = with(std::move(text), "{" + std::to_string(n) + "}", "$" + std::to_string(parameters + n));
    }
    return text;
}

constexpr std::string_view complete_with_row_call =
    "{schema}.complete_with_row({1}, {2}, {3}::integer, (select row_to_json(answer.*) from answer))";
constexpr std::string_view finish_request_with_row_call = R"sql({schema}.finish_request_with_row(
    {1}, {2}, {3}::bytea, {4}::integer, (select row_to_json(answer.*) from answer),
    {5}::interval, {6}::interval))sql";

} // namespace

std::string claim_statements::complete_with_row(std::string_view sql, std::size_t parameters) const {
    return with_row("/* once: complete_with_row */", sql,
                    numbered(in_schema(complete_with_row_call, m_schema), parameters, 3));
}

std::string claim_statements::finish_request_with_row(std::string_view sql, std::size_t parameters) const {
    return with_row("/* once: finish_request_with_row */", sql,
                    numbered(in_schema(finish_request_with_row_call, m_schema), parameters, 6));
}

} // namespace once::sql
