// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: nodiscard
#include <once/once.hpp>

void place(once::database& db) {
    once::execute(db, {.scope = "POST /orders", .key = "k", .fingerprint = once::no_fingerprint},
                  [](once::transaction&) { return once::response{.status = 201}; });
}
