// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: nodiscard
#include <once/once.hpp>

void place(once::database& db) {
    once::transact(db, [](once::transaction& tx) { tx.exec("delete from cart"); });
}
