// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "execute/work.hpp"
#include "fuzz/fuzz.hpp"

#include <array>

using namespace once::fuzzing;

namespace {

// A row as libpq hands it over, with five columns; an odd first byte makes a value NULL.
once::detail::pg_result row_of(input& from) {
    auto* const made = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
    std::array<std::string, 5> names{"outcome", "status", "headers", "content_type", "body"};
    std::array<PGresAttDesc, 5> columns{};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        columns[i].name = names[i].data();
        columns[i].format = 1;
    }
    claim(PQsetResultAttrs(made, 5, columns.data()) != 0, "libpq takes the columns");
    for (int column = 0; column < 5; ++column) {
        bool const is_null = from.byte() % 2 != 0;
        std::string value{column == 4 ? from.rest() : from.part()};
        claim(PQsetvalue(made, 0, column, is_null ? nullptr : value.data(),
                         is_null ? -1 : static_cast<int>(value.size())) != 0,
              "libpq takes the value");
    }
    return once::detail::pg_result{made};
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input from{data, size};
    auto const row = row_of(from);
    try {
        auto const answer = once::detail::read_claim_answer(row);
        if (answer.response) {
            claim(answer.response->body.data() == row.bytes(4), "a stored body comes back byte for byte");
        }
    } catch (once::corrupt_record const&) {
        return 0; // the headers were not the library's
    }
    return 0;
}
