// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/repository.hpp>

#include "support/database.hpp"

#include <pqxx/connection>

#include <cstdint>
#include <optional>
#include <string>

namespace once::testing {

struct order {
    std::int64_t id{};
    std::string number{};
    std::string customer{};
    std::optional<std::string> note{};
    once::timestamp placed_at{};
    std::int64_t version{1};
};

/// Composite natural key, no version.
struct vote {
    std::int64_t id{};
    std::int32_t poll{};
    std::string voter{};
    std::string choice{};
};

/// The application gives the id; no unique key besides it.
struct counter {
    std::string name{};
    std::int64_t value{};
    std::int64_t version{1};
};

/// A database with the tables of these structs; `invoice` of shop.orders is unique but not part of the mapping's key.
class shop_database : public test_database {
public:
    shop_database();
};

} // namespace once::testing

template <>
struct once::mapping<once::testing::order> {
    using order = once::testing::order;
    static constexpr auto columns = once::columns(
        once::generated_id("id", &order::id), once::column("number", &order::number),
        once::column("customer", &order::customer), once::column("note", &order::note),
        once::generated("placed_at", &order::placed_at), once::version("version", &order::version));
    static constexpr auto unique = once::unique("number");
};

template <>
struct once::mapping<once::testing::vote> {
    using vote = once::testing::vote;
    static constexpr auto columns =
        once::columns(once::generated_id("id", &vote::id), once::column("poll", &vote::poll),
                      once::column("voter", &vote::voter), once::column("choice", &vote::choice));
    static constexpr auto unique = once::unique("poll", "voter");
};

template <>
struct once::mapping<once::testing::counter> {
    using counter = once::testing::counter;
    static constexpr auto columns =
        once::columns(once::id("name", &counter::name), once::column("value", &counter::value),
                      once::version("version", &counter::version));
};
