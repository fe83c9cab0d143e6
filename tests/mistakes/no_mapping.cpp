// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: this struct has no mapping: write template <> struct once::mapping<YOUR_STRUCT>
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string number{};
    std::int64_t version{};
};

once::repository<order> const orders{"orders"};

std::optional<order> find(once::transaction& tx) {
    return orders.find(tx, 1);
}
