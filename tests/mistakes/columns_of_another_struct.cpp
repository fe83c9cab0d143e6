// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: a column of this mapping is a member of another struct
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string number{};
    std::int64_t version{};
};

struct invoice {
    std::int64_t id{};
    std::string number{};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &invoice::id), once::column("number", &invoice::number));
};

once::repository<order> const orders{"orders"};
