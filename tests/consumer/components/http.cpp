// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/http.hpp>

int main() {
    return once::http::format_idempotency_key("k") == "\"k\"" ? 0 : 1;
}
