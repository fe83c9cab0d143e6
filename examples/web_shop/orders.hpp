// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/transaction.hpp>

#include "visitor.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

inline constexpr std::array<std::string_view, 3> items{"tea", "lamp", "chair"};

/// What the form sends, as it came.
struct form_fields {
    std::string key;
    std::string item;
    std::string quantity;
    std::string name;
};

/// What the form asks for, checked.
struct order_request {
    std::string item;
    int quantity = 1;
    std::string name;
};

/// What the fields say; else a sentence for the visitor.
struct order_check {
    std::optional<order_request> asked;
    std::string complaint;
};
order_check check_order(std::string const& item, std::string const& quantity, std::string const& name);

struct order {
    std::string number;
    std::string item;
    int quantity = 0;
    std::string name;
};

/// The business write.
/// @return the number of the order
std::string place(once::transaction& tx, visitor who, order_request const& asked);

std::vector<order> orders_of(once::database& db, visitor who);

} // namespace shop
