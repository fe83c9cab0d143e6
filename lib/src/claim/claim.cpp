// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/options.hpp>

#include "claim/stored_response.hpp"
#include "request/borrowed.hpp"
#include "request/stored_body.hpp"
#include "request/validate_response.hpp"
#include "sql/claim_statements.hpp"

#include <pqxx/field>
#include <pqxx/result>
#include <pqxx/row>

#include <charconv>

namespace once {

namespace {

sql::claim_statements statements_for(claim_options const& options) {
    auto const& schema = detail::checked_schema(options.schema, "claim_options.schema");
    validate(call_options{
        .wait = options.wait, .retention = options.retention, .deadline = std::chrono::milliseconds{100}});
    return sql::claim_statements{schema};
}

std::string from_hex(std::string const& hex) {
    std::string data;
    data.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
        data += static_cast<char>(byte);
    }
    return data;
}

template <class Row>
replayed to_replayed(Row const& row) {
    if (row[1].is_null()) {
        return {};
    }
    response stored{.status = row[1].template as<int>()};
    if (!row[2].is_null()) {
        stored.headers =
            detail::from_stored_headers(row[2].template as<std::string>(), "an idempotency record");
    }
    stored.body = body::bytes(from_hex(row[4].template as<std::string>()),
                              row[3].is_null() ? "" : row[3].template as<std::string>());
    return {std::move(stored)};
}

} // namespace

claim_result claim(pqxx::dbtransaction& tx, request const& request, claim_options const& options) {
    validate(request);
    auto const statements = statements_for(options);
    detail::require_utf8(tx);
    parameters values;
    detail::add_key(values, request);
    detail::add_fingerprint(values, request.fingerprint);
    values.add(options.retention.count()).add(options.wait.count());
    auto const answer = tx.exec(statements.try_claim, detail::to_pqxx(values));
    auto const outcome = answer[0][0].as<std::string>();
    if (outcome == "started") {
        return started{request.scope, request.key};
    }
    if (outcome == "replayed") {
        return to_replayed(answer[0]);
    }
    if (outcome == "key_reused") {
        return key_reused{};
    }
    return in_progress{};
}

void complete(pqxx::dbtransaction& tx, started const& claimed, std::optional<response> const& response,
              claim_options const& options) {
    validate(request{.scope = claimed.scope, .key = claimed.key});
    if (response) {
        detail::validate(*response, call_options{}.max_response_bytes);
    }
    auto const statements = statements_for(options);
    detail::require_utf8(tx);
    parameters values;
    values.add(claimed.scope).add(claimed.key);
    detail::add_response(values, response);
    tx.exec(statements.complete, detail::to_pqxx(values)).expect_rows(1);
}

} // namespace once
