// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/error.hpp>
#include <once/identifier.hpp>
#include <once/options.hpp>

#include "claim/stored_response.hpp"
#include "request/validate_response.hpp"
#include "sql/claim_statements.hpp"

#include <pqxx/connection>
#include <pqxx/field>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <charconv>

namespace once {

namespace {

sql::claim_statements statements_for(claim_options const& options) {
    if (!is_identifier(options.schema)) {
        throw invalid_argument{"claim_options.schema",
                               "only lower-case letters, digits and underscores are allowed, up to 63 bytes"};
    }
    validate(call_options{
        .wait = options.wait, .retention = options.retention, .deadline = std::chrono::milliseconds{100}});
    return sql::claim_statements{options.schema};
}

pqxx::params to_pqxx(parameters const& from) {
    pqxx::params made;
    for (auto const& value : from.values()) {
        if (!value.data) {
            made.append();
        } else if (value.binary) {
            made.append(pqxx::binary_cast(*value.data));
        } else {
            made.append(*value.data);
        }
    }
    return made;
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

// In any other encoding the server would convert the texts, and a repeat would get other bytes.
void require_utf8(pqxx::dbtransaction const& tx) {
    auto const encoding = tx.conn().get_client_encoding();
    if (encoding != "UTF8") {
        throw configuration_error{"once: client_encoding of the borrowed connection is " + encoding +
                                  " instead of UTF8: connect with client_encoding=UTF8"};
    }
}

template <class Row>
replayed to_replayed(Row const& row) {
    if (row[1].is_null()) {
        return {};
    }
    response stored{.status = row[1].template as<int>()};
    if (!row[2].is_null()) {
        stored.headers = detail::from_stored_headers(row[2].template as<std::string>());
    }
    stored.body = body::bytes(from_hex(row[4].template as<std::string>()),
                              row[3].is_null() ? "" : row[3].template as<std::string>());
    return {std::move(stored)};
}

} // namespace

claim_result claim(pqxx::dbtransaction& tx, request const& request, claim_options const& options) {
    validate(request);
    auto const statements = statements_for(options);
    require_utf8(tx);
    parameters values;
    detail::add_key(values, request);
    detail::add_fingerprint(values, request.fingerprint);
    values.add(options.retention.count()).add(options.wait.count());
    auto const answer = tx.exec(statements.try_claim, to_pqxx(values));
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
    require_utf8(tx);
    parameters values;
    values.add(claimed.scope).add(claimed.key);
    detail::add_response(values, response);
    tx.exec(statements.complete, to_pqxx(values)).expect_rows(1);
}

} // namespace once
