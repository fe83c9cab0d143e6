// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/request.hpp>

#include "fuzz/fuzz.hpp"

using namespace once::fuzzing;

namespace {

// The documented rule, written once more.
bool allowed(std::string_view text) {
    if (text.empty() || text.size() > 255 || text[0] == ' ' || text[text.size() - 1] == ' ') {
        return false;
    }
    for (char const c : text) {
        if (c < ' ' || c > '~') {
            return false;
        }
    }
    return true;
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input from{data, size};
    std::string const scope{from.part()};
    std::string const key{from.rest()};
    try {
        validate(once::request{.scope = scope, .key = key, .fingerprint = once::no_fingerprint});
        claim(allowed(scope) && allowed(key), "only printable ASCII is accepted");
    } catch (once::invalid_argument const& refused) {
        claim(!allowed(scope) || !allowed(key), "what the documentation allows is accepted");
        claim(refused.field() == (allowed(scope) ? "request.key" : "request.scope"),
              "the refused field is named");
    }
    return 0;
}
