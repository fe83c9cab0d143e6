// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/mapping.hpp>
#include <once/repository.hpp>

#include <cstdint>
#include <string>

/** @file
 * The rows of the order service, and which member lies in which column.
 */
namespace shop {

struct order {
    std::int64_t id{};
    std::string number{};
    std::string customer{};
    std::string cart{};
    std::string item{};
    int quantity{};
    std::int64_t cents{};
    std::string note{};
    std::int64_t version{1};
};

struct vote {
    std::int64_t id{};
    std::string poll{};
    std::string voter{};
};

} // namespace shop

template <>
struct once::mapping<shop::order> {
    static constexpr auto columns = once::columns(
        once::generated_id("id", &shop::order::id), once::generated("number", &shop::order::number),
        once::column("customer", &shop::order::customer), once::column("cart", &shop::order::cart),
        once::column("item", &shop::order::item), once::column("quantity", &shop::order::quantity),
        once::column("cents", &shop::order::cents), once::column("note", &shop::order::note),
        once::version("version", &shop::order::version));
};

template <>
struct once::mapping<shop::vote> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &shop::vote::id), once::column("poll", &shop::vote::poll),
                      once::column("voter", &shop::vote::voter));
    static constexpr auto unique = once::unique("poll", "voter");
};

namespace shop {

inline once::repository<order> const orders{"shop.orders"};
inline once::repository<vote> const votes{"shop.votes"};

} // namespace shop
