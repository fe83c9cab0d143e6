// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/claim.hpp>
#include <once/error.hpp>
#include <once/outcome.hpp>
#include <once/token.hpp>

#include "wire/pg_result.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/field>
#include <pqxx/result>
#include <pqxx/row>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace once::detail {

/// What a claim, or a look at the record, came to.
struct claim_answer {
    once::outcome outcome = once::outcome::unknown;
    bool absent = false;
    std::optional<once::response> response{};
};

/// The word of a claim_outcome; `absent` only for lookup().
/// @throws once::error for any other word: the schema is of another version
[[nodiscard]] claim_answer from_claim_outcome(std::string_view word);

/// Reads the claim_answer in the first column, where null means that there is no answer yet: do the work.
[[nodiscard]] claim_answer read_claim_answer(pg_result const& row);

/// The same on a transaction of the caller: the first row has outcome, status, headers, content type, body in hex.
/// @tparam Result claim_result, or redeem_result
/// @param where what the answer is read from, for an error
template <class Result>
[[nodiscard]] Result to_claim_result(pqxx::result const& answer, request const& asked, char const* where) {
    switch (from_claim_outcome(answer[0][0].as<std::string>()).outcome) {
    case outcome::done:
        return started{asked.scope, asked.key};
    case outcome::replayed:
        return replayed{read_response(answer, 1, where)};
    case outcome::key_reused:
        return key_reused{};
    case outcome::refused:
        if constexpr (std::is_same_v<Result, redeem_result>) {
            return refused{};
        }
        break;
    case outcome::in_progress:
    case outcome::unknown:
    case outcome::lease_lost:
        break;
    }
    return in_progress{};
}

} // namespace once::detail
