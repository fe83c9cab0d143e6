// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "program.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

namespace once::bench {

int run_program(char const* name, std::function<int()> const& body) {
    constexpr int wrong_usage = 2;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    try {
        return body();
    } catch (std::invalid_argument const& e) {
        std::fprintf(stderr, "%s: %s (see --help)\n", name, e.what());
        return wrong_usage;
    } catch (std::exception const& e) {
        std::fprintf(stderr, "%s: %s\n", name, e.what());
        return EXIT_FAILURE;
    }
}

bool has_server(char const* command) {
    if (std::getenv("ONCE_TEST_DSN") != nullptr) {
        return true;
    }
    std::fprintf(stderr, "NO DATABASE: ONCE_TEST_DSN is not set. Run %s\n", command);
    return false;
}

int finish(report const& report, arguments const& given) {
    bool const all_met = report.summary();
    if (!given.json.empty()) {
        report.write_json(given.json);
    }
    return given.enforce && !all_met ? EXIT_FAILURE : EXIT_SUCCESS;
}

} // namespace once::bench
