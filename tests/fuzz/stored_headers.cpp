// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "fuzz/fuzz.hpp"
#include "wire/stored_body.hpp"
#include "wire/validate_response.hpp"

using namespace once::fuzzing;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input from{data, size};
    try {
        auto const headers = once::detail::from_stored_headers(from.rest(), "response_headers");
        auto const again =
            once::detail::from_stored_headers(once::detail::to_stored_headers(headers), "response_headers");
        claim(headers == again, "what was read is written so that it reads the same");
    } catch (once::corrupt_record const& refused) {
        // What the library never writes is refused, with this exception and no other.
        claim(std::string_view{refused.what()}.find("response_headers") != std::string_view::npos,
              "the column is named");
    }

    once::response answer{.status = 100 + 2 * from.byte()};
    while (!from.empty() && answer.headers.size() < 70) {
        std::string name{from.part()};
        answer.headers.emplace_back(std::move(name), std::string{from.part()});
    }
    try {
        once::detail::validate(answer, 1024);
        auto const stored = once::detail::to_stored_headers(answer.headers);
        claim(once::detail::from_stored_headers(stored, "response_headers") == answer.headers,
              "valid headers come back as they were");
    } catch (once::invalid_argument const& refused) {
        claim(refused.field().starts_with("response."), "the refused field is named");
    }
    return 0;
}
