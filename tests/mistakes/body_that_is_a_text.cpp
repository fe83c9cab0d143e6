// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: response.body
// says: once::body::text(...)
#include <once/once.hpp>

once::reply place(once::database& db) {
    return once::execute(
        db, {.scope = "POST /orders", .key = "k", .fingerprint = once::no_fingerprint},
        [](once::transaction&) -> once::response { return {.status = 201, .body = "hello"}; });
}
