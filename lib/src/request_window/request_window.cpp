// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/identifier.hpp>
#include <once/options.hpp>
#include <once/request_window.hpp>

#include "claim/stored_response.hpp"
#include "request/stored_body.hpp"
#include "sql/window_statements.hpp"

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <charconv>
#include <cstdint>

namespace once {

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

void append_bytes_or_null(pqxx::params& to, std::string const& bytes) {
    if (bytes.empty()) {
        to.append();
    } else {
        to.append(pqxx::binary_cast(bytes));
    }
}

void check(request const& request, std::chrono::milliseconds window, claim_options const& options) {
    using namespace std::chrono_literals;
    validate(request);
    if (request.fingerprint.empty()) {
        throw invalid_argument{"request.fingerprint", "a window compares by it, so there must be one"};
    }
    if (window < 1ms || window > 24h) {
        throw invalid_argument{"window", "it must be between 1 millisecond and 1 day"};
    }
    if (options.wait < 0ms || options.wait > 1h) {
        throw invalid_argument{"claim_options.wait", "it must be between 0 and 1 hour"};
    }
    if (!is_identifier(options.schema)) {
        throw invalid_argument{"claim_options.schema",
                               "only lower-case letters, digits and underscores are allowed, up to 63 bytes"};
    }
}

template <class Row>
replayed to_replayed(Row const& row) {
    if (row[1].is_null()) {
        return {};
    }
    response stored{.status = row[1].template as<int>()};
    if (!row[2].is_null()) {
        stored.headers = detail::from_stored_headers(row[2].template as<std::string>(), "a request window");
    }
    stored.body = body::bytes(from_hex(row[4].template as<std::string>()),
                              row[3].is_null() ? "" : row[3].template as<std::string>());
    return {std::move(stored)};
}

} // namespace

claim_result open_window(pqxx::dbtransaction& tx, request const& request, std::chrono::milliseconds window,
                         claim_options const& options) {
    check(request, window, options);
    if (auto const encoding = tx.conn().get_client_encoding(); encoding != "UTF8") {
        throw configuration_error{"once: client_encoding of the borrowed connection is " + encoding +
                                  " instead of UTF8: connect with client_encoding=UTF8"};
    }
    pqxx::params values;
    values.append(request.scope);
    values.append(request.key);
    append_bytes_or_null(values, request.fingerprint.digest());
    append_bytes_or_null(values, request.fingerprint.preimage());
    values.append(static_cast<std::int64_t>(window.count()));
    values.append(static_cast<std::int64_t>(options.wait.count()));
    auto const rows = tx.exec(sql::open_window(options.schema), values);
    auto const word = rows[0][0].as<std::string>();
    if (word == "started") {
        return started{request.scope, request.key};
    }
    if (word == "replayed") {
        return to_replayed(rows[0]);
    }
    return in_progress{};
}

} // namespace once
