// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: #include <nlohmann/json.hpp>
#include <once/once.hpp>

int answer(once::reply const& reply) {
    return reply.as<int>();
}
