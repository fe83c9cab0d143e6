// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <chrono>
#include <iosfwd>
#include <optional>
#include <stop_token>
#include <string>

namespace once::command {

/// `tail`: shows messages as their transactions commit. It is no subscription and leaves no trace.
struct tail_options {
    /// A topic, or a prefix that ends with .*; empty: all.
    std::optional<std::string> topic;
    bool payload = false;
    /// Ends after so many messages; 0: goes on.
    long long limit = 0;
    std::chrono::milliseconds interval{500};
};
int tail(session& db, tail_options const& options, format how, std::stop_token const& stop,
         std::ostream& out);

} // namespace once::command
