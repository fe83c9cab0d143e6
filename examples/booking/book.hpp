// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/once.hpp>

#include <string>

namespace booking {

/// Where the process of a client meets its end; `none` is what customers hope for.
struct fate {
    /// One of: none, start, reserve, before-call, kill-before, kill-after, lose-reply, after-call, confirm, end.
    std::string where = "none";
    [[nodiscard]] bool is(std::string const& place) const { return where == place; }
};

inline constexpr char const* tables =
    "create table booking (id bigint generated always as identity, customer text not null, charge bigint)";

/// Books an order: reserves it, takes the money at a payment provider elsewhere, confirms it.
[[nodiscard]] once::operation book_order(int provider_port, fate const& where = {});

[[nodiscard]] once::request request_of(std::string const& customer);

} // namespace booking
