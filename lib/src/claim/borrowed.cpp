// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "claim/borrowed.hpp"

#include <once/error.hpp>
#include <once/identifier.hpp>
#include <once/options.hpp>

#include "claim/stored_response.hpp"
#include "request/stored_body.hpp"

#include <pqxx/connection>
#include <pqxx/field>
#include <pqxx/row>

#include <charconv>

namespace once::detail {

namespace {

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

} // namespace

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

void require_utf8(pqxx::dbtransaction const& tx) {
    auto const encoding = tx.conn().get_client_encoding();
    if (encoding != "UTF8") {
        throw configuration_error{"once: client_encoding of the borrowed connection is " + encoding +
                                  " instead of UTF8: connect with client_encoding=UTF8"};
    }
}

replayed to_replayed(pqxx::result const& answer) {
    auto const row = answer[0];
    if (row[1].is_null()) {
        return {};
    }
    response stored{.status = row[1].as<int>()};
    if (!row[2].is_null()) {
        stored.headers = from_stored_headers(row[2].as<std::string>(), "an idempotency record");
    }
    stored.body =
        body::bytes(from_hex(row[4].as<std::string>()), row[3].is_null() ? "" : row[3].as<std::string>());
    return {std::move(stored)};
}

} // namespace once::detail
