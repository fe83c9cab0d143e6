// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the callback of once::transact takes (once::transaction&)
#include <once/once.hpp>

once::reply look(once::database& db) {
    return once::transact(db, [] {});
}
