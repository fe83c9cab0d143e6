// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shop {

/// Who sits at the browser. Stands for a log-in: what matters is that the server decides who it is.
struct visitor {
    std::int64_t id = 0;

    /// What goes into the scope of this visitor's keys: an id, never the cookie, which is a secret.
    [[nodiscard]] std::string principal() const { return "visitor:" + std::to_string(id); }
};

/// The visitor to whom the server gave the cookie in this `Cookie` header; nobody if there is none.
std::optional<visitor> visitor_of(once::database& db, std::string_view cookie_header);

/// A new visitor, and the `Set-Cookie` header for the browser.
struct arrival {
    visitor who;
    std::string set_cookie;
};
arrival welcome(once::database& db);

} // namespace shop
