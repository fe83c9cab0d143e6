// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/identifier.hpp>

#include "fuzz/fuzz.hpp"

using namespace once::fuzzing;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string const text{input{data, size}.rest()};
    try {
        once::table_name const name{text};
        claim(name.text() == text, "a name is kept as it is");
        std::string unquoted;
        for (char const c : name.quoted()) {
            bool const plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
            claim(plain || c == '"', "nothing that has a meaning in SQL stands in a name");
            if (c != '"') {
                unquoted += c;
            }
        }
        claim(unquoted == text, "the quoted name is the name");
        auto const dot = text.find('.');
        claim(name.quoted().size() == text.size() + (dot == std::string::npos ? 2 : 4),
              "each part is quoted");
        claim(once::is_identifier(text.substr(0, dot)) &&
                  (dot == std::string::npos || once::is_identifier(text.substr(dot + 1))),
              "each part is an identifier");
    } catch (once::invalid_argument const& refused) {
        claim(refused.field() == "table", "the refused field is named");
        claim(!once::is_identifier(text), "an identifier names a table");
    }
    return 0;
}
