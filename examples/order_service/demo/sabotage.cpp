// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "sabotage.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>

namespace demo {

namespace {

constexpr char const* variable = "ONCE_DEMO_BREAK";
constexpr std::array<std::string_view, 5> known{"key", "twice", "repeat", "loss", "order"};

/// Whether this is true for one of the words, which commas separate.
template <class Predicate>
bool any_word(std::string_view words, Predicate const& is) {
    for (;;) {
        auto const comma = std::min(words.find(','), words.size());
        if (is(words.substr(0, comma))) {
            return true;
        }
        if (comma == words.size()) {
            return false;
        }
        words.remove_prefix(comma + 1);
    }
}

} // namespace

void sabotage(std::string const& what) {
    auto const unknown = [](std::string_view word) { return std::ranges::find(known, word) == known.end(); };
    if (any_word(what, unknown)) {
        throw std::invalid_argument{
            "--break: some of key, twice, repeat, loss and order, separated by commas"};
    }
    ::setenv(variable, what.c_str(), 1);
}

bool sabotaged(std::string_view what) {
    char const* const words = std::getenv(variable);
    return words != nullptr && any_word(words, [&](std::string_view word) { return word == what; });
}

} // namespace demo
