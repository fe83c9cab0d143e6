// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: insert has nothing to dedup by
// says: once::unique(
// says: append()
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string number{};
    std::int64_t version{};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &order::id), once::column("number", &order::number));
};

bool insert(once::transaction& tx, once::repository<order> const& orders) {
    return orders.insert(tx, order{.number = "A-17"}).inserted;
}
