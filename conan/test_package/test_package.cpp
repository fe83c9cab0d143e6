// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include <iostream>

// Needs no server: shows that headers, library and what they depend on fit together.
int main() {
    std::cout << "once " << once::version_text << ", newest migration " << once::migrations().back().name
              << '\n';
    try {
        once::database const database{"no such keyword=1"};
    } catch (once::invalid_argument const& refused) {
        return refused.field() == "conninfo" ? 0 : 1;
    }
    return 1;
}
