// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/claim_answer.hpp"

#include "wire/stored_body.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace once::detail {

claim_answer from_claim_outcome(std::string_view word) {
    constexpr std::array<std::pair<std::string_view, outcome>, 5> words{
        {{"started", outcome::done},
         {"replayed", outcome::replayed},
         {"in_progress", outcome::in_progress},
         {"key_reused", outcome::key_reused},
         {"refused", outcome::refused}}};
    for (auto const& [known, outcome] : words) {
        if (known == word) {
            return {.outcome = outcome};
        }
    }
    if (word == "absent") {
        return {.absent = true};
    }
    throw error{"once: the server answered a claim with '" + std::string{word} +
                "', which this version does not know; once doctor tells what differs in the schema"};
}

claim_answer read_claim_answer(pg_result const& row) {
    // The fields of the type claim_answer; the times are for people.
    enum : std::size_t {
        word,
        claimed_at,
        completed_at,
        expires_at,
        status,
        headers,
        content_type,
        bytes,
        all
    };
    if (row.is_null(0)) {
        return {.outcome = outcome::done};
    }
    std::array<std::optional<std::string_view>, all> fields;
    split_composite(row.bytes(0), fields);
    auto answer = from_claim_outcome(fields[word].value_or(""));
    if (answer.outcome == outcome::replayed && fields[status]) {
        response stored{.status = int4(*fields[status])};
        if (fields[headers]) {
            stored.headers = from_stored_headers(*fields[headers], "an idempotency record");
        }
        stored.body = body::bytes(std::string{fields[bytes].value_or("")},
                                  std::string{fields[content_type].value_or("")});
        answer.response = std::move(stored);
    }
    return answer;
}

} // namespace once::detail
