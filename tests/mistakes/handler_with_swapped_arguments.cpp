// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the handler of a consumer takes (once::delivery const&, once::transaction&)
#include <once/once.hpp>

void consume(once::database& db) {
    once::consumer consumer{db, "billing", [](once::transaction&, once::delivery const&) {}};
    static_cast<void>(consumer.run_once());
}
