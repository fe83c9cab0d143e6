// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/version.hpp>

#ifdef WITH_HTTP
#include <once/http.hpp>
#endif

#include <cstdio>

int main() {
#ifdef WITH_HTTP
    if (once::http::format_idempotency_key("k") != "\"k\"") {
        return 1;
    }
#endif
    static_assert(ONCE_VERSION ==
                  10000 * once::version_major + 100 * once::version_minor + once::version_patch);
    try {
        throw once::invalid_argument{"request.key", "must not be empty"};
    } catch (once::error const&) {
        std::printf("once %s\n", once::version_text);
        return 0;
    }
}
