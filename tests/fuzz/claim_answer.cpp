// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "fuzz/fuzz.hpp"
#include "request/work.hpp"

#include <optional>
#include <string>

using namespace once::fuzzing;

namespace {

constexpr int fields = 8;
constexpr int body_field = 7;

void append_int4(std::string& to, std::uint32_t value) {
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        to += static_cast<char>((value >> (shift - 8)) & 0xffU);
    }
}

// The composite value as the server sends it; an odd first byte makes a field NULL. `body` is what the last one got.
std::string composite_of(input& from, std::optional<std::string>& body) {
    std::string value;
    append_int4(value, fields);
    for (int field = 0; field < fields; ++field) {
        append_int4(value, 25);
        bool const is_null = from.byte() % 2 != 0;
        std::string bytes{field == body_field ? from.rest() : from.part()};
        append_int4(value, is_null ? 0xffffffffU : static_cast<std::uint32_t>(bytes.size()));
        if (!is_null) {
            value += bytes;
        }
        if (field == body_field && !is_null) {
            body = std::move(bytes);
        }
    }
    return value;
}

// A row of one column, as libpq hands it over.
once::detail::pg_result row_of(std::string value) {
    auto* const made = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
    std::string name{"claim"};
    PGresAttDesc column{};
    column.name = name.data();
    column.format = 1;
    claim(PQsetResultAttrs(made, 1, &column) != 0, "libpq takes the column");
    claim(PQsetvalue(made, 0, 0, value.data(), static_cast<int>(value.size())) != 0, "libpq takes the value");
    return once::detail::pg_result{made};
}

// Whether it was refused as something that the schema does not answer.
void read(std::string const& value, std::optional<std::string> const& body) {
    try {
        auto const answer = once::detail::read_claim_answer(row_of(value));
        if (answer.response && body) {
            claim(answer.response->body.data() == *body, "a stored body comes back byte for byte");
        }
    } catch (once::error const&) {
        return; // not of the type that it should be, or headers that the library never writes
    }
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    read(std::string{reinterpret_cast<char const*>(data), size}, std::nullopt); // anything at all
    input from{data, size};
    std::optional<std::string> body;
    auto const value = composite_of(from, body);
    read(value, body);
    return 0;
}
