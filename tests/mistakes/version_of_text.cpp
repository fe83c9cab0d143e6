// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the member of once::version must be a std::int64_t
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string version{};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &order::id), once::version("version", &order::version));
};

once::repository<order> const orders{"orders"};
