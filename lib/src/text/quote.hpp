// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// Quotes an identifier that has passed the allow-list; inner quotes are doubled all the same.
[[nodiscard]] inline std::string quote_identifier(std::string_view name) {
    std::string quoted{'"'};
    for (char const c : name) {
        quoted += c;
        if (c == '"') {
            quoted += '"';
        }
    }
    return quoted += '"';
}

} // namespace once::sql
