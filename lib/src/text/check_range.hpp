// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/error.hpp>

#include <string>

namespace once::detail {

/// @param range how an error names the limits, for example "0 and 1 hour"
/// @throws once::invalid_argument naming `field`
template <class Value>
void check_range(Value value, Value low, Value high, char const* field, char const* range) {
    if (value < low || value > high) {
        throw invalid_argument{field, std::string{"it must be between "} + range};
    }
}

} // namespace once::detail
