// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the callback of once::execute takes (once::transaction&)
#include <once/once.hpp>

#include <pqxx/pqxx>

once::reply place(once::database& db) {
    return once::execute(db, {.scope = "POST /orders", .key = "k", .fingerprint = once::no_fingerprint},
                         [](pqxx::work&) { return once::response{.status = 201}; });
}
