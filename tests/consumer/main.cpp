// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include <cstdio>

// Uses what has to cross the border of a shared library: functions, data, exceptions.
int main() {
    static_assert(ONCE_VERSION ==
                  10000 * once::version_major + 100 * once::version_minor + once::version_patch);
    if (once::migrations().empty() || once::table_name{"shop.orders"}.quoted() != R"("shop"."orders")") {
        return 1;
    }
    try {
        once::database const database{"no such keyword=1"};
    } catch (once::invalid_argument const& refused) {
        if (refused.field() != "conninfo") {
            return 1;
        }
        std::printf("once %s\n", once::version_text);
        return 0;
    }
    return 1;
}
