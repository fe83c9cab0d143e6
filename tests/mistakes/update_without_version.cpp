// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: update needs once::version in the mapping
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string number{};
    std::int64_t version{};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::id("id", &order::id), once::column("number", &order::number));
};

bool update(once::transaction& tx, once::repository<order> const& orders) {
    return orders.update(tx, order{}).index() == 0;
}
