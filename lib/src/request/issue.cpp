// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/token.hpp>

#include "database/connection_pool.hpp"
#include "request/token_text.hpp"
#include "sql/texts.hpp"
#include "sql/token_statements.hpp"
#include "text/check_range.hpp"
#include "wire/borrowed.hpp"

#include <pqxx/result>

#include <algorithm>

namespace once {

namespace {

constexpr std::size_t most_at_once = 10'000;

std::vector<std::string> make_tokens(token_terms const& terms, std::size_t count) {
    validate(terms);
    detail::check_range<std::size_t>(count, 1, most_at_once, "count", "1 and 10000");
    std::vector<std::string> tokens(count);
    std::ranges::generate(tokens, detail::make_token);
    return tokens;
}

} // namespace

std::vector<std::string> issue_tokens(database& db, token_terms const& terms, std::size_t count) {
    auto tokens = make_tokens(terms, count);
    auto const deadline = std::chrono::steady_clock::now() + call_options{}.reply_timeout;
    static_cast<void>(detail::pool_of(db).ask(
        {sql::texts<sql::token_statements>(db.schema()).issue, detail::issue_values(terms, tokens)}, deadline,
        false));
    return tokens;
}

std::string issue_token(database& db, token_terms const& terms) {
    return std::move(issue_tokens(db, terms, 1).front());
}

std::vector<std::string> issue_tokens(borrowed const& tx, token_terms const& terms, std::size_t count) {
    auto tokens = make_tokens(terms, count);
    auto const values = detail::issue_values(terms, tokens);
    tx->exec(sql::texts<sql::token_statements>(tx.schema()).issue, detail::to_pqxx(values)).expect_rows(1);
    return tokens;
}

std::string issue_token(borrowed const& tx, token_terms const& terms) {
    return std::move(issue_tokens(tx, terms, 1).front());
}

} // namespace once
