// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string_view>

namespace once::detail {

/// What an error of a statement that a message was for says about the message.
enum class sqlstate_verdict {
    /// These data will never fit.
    reject,
    /// May be different later.
    retry,
    /// Another transaction was in the way: run the same again.
    again,
    /// Says nothing about this message: the database, the rights or the statement are not as they should be.
    unavailable,
};

[[nodiscard]] inline sqlstate_verdict judge_sqlstate(std::string_view state) noexcept {
    auto const is_class = [&](std::string_view name) { return state.starts_with(name); };
    if (is_class("22")) {
        return sqlstate_verdict::reject;
    }
    if (is_class("40")) {
        return sqlstate_verdict::again;
    }
    // 21 cardinality, 23 constraints, 44 check option, 54 limits, P0 raised by a function; 57014 ran out of time.
    if (is_class("21") || is_class("23") || is_class("44") || is_class("54") || is_class("P0") ||
        state == "57014") {
        return sqlstate_verdict::retry;
    }
    return sqlstate_verdict::unavailable;
}

} // namespace once::detail
