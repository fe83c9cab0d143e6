// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "database/connect.hpp"
#include "fuzz/fuzz.hpp"

using namespace once::fuzzing;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string const conninfo{input{data, size}.rest()};
    try {
        once::detail::connect_plan const plan{conninfo};
        claim(conninfo.find('\0') == std::string::npos, "a NUL is refused");
    } catch (once::invalid_argument const& refused) {
        claim(refused.field() == "conninfo", "the refused field is named");
        // Shorter pieces can stand in the text by chance.
        claim(conninfo.size() < 40 ||
                  std::string_view{refused.what()}.find(conninfo) == std::string_view::npos,
              "an error does not repeat the connection string, which can hold a password");
    }
    return 0;
}
