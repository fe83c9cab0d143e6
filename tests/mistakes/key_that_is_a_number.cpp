// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: request.key
// says: write std::to_string(number)
#include <once/once.hpp>

once::reply place(once::database& db, std::int64_t id) {
    return once::execute(db, {.scope = "POST /orders", .key = id, .fingerprint = once::no_fingerprint},
                         [](once::transaction&) { return once::response{.status = 201}; });
}
