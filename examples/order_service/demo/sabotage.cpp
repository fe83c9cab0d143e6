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

} // namespace

void sabotage(std::string const& what) {
    if (std::ranges::find(known, what) == known.end()) {
        throw std::invalid_argument{"--break: key, twice, repeat, loss or order"};
    }
    ::setenv(variable, what.c_str(), 1);
}

bool sabotaged(std::string_view what) {
    char const* const wanted = std::getenv(variable);
    return wanted != nullptr && wanted == what;
}

} // namespace demo
