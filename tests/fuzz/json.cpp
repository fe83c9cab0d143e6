// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "fuzz/fuzz.hpp"
#include "text/text_rules.hpp"
#include "wire/stored_response.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace once::fuzzing;

namespace {

// How deep the brackets of a valid JSON text are nested; those inside of strings do not count.
int depth_of(std::string_view json) {
    int depth = 0;
    int deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        if (in_string && json[i] == '\\') {
            ++i;
        } else if (json[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && (json[i] == '[' || json[i] == '{')) {
            deepest = std::max(deepest, ++depth);
        } else if (!in_string && (json[i] == ']' || json[i] == '}')) {
            --depth;
        }
    }
    return deepest;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const text = input{data, size}.rest();
    bool const storable = once::detail::is_storable_json(text);
    bool const plain = text.find('\0') == std::string_view::npos && !text.starts_with("\xef\xbb\xbf");
    bool const expected = plain && nlohmann::json::accept(text) && depth_of(text) <= 512;
    claim(storable == expected, "storable is what is valid, without a NUL, and not too deep");

    once::parameters values;
    once::response const answer{.body = once::body::json_text(std::string{text})};
    once::detail::add_response(values, answer);
    claim(values.size() == 5, "a response is five values");
    auto const& as_json = values.values()[3].data;
    auto const& as_bytes = values.values()[4].data;
    claim(as_json.has_value() == storable && as_json.has_value() != as_bytes.has_value(),
          "a body is stored in one of the two columns");
    claim((as_json ? *as_json : *as_bytes) == text, "a body is stored byte for byte");
    return 0;
}
