// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "seed.hpp"

#include <catch2/catch_test_case_info.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

namespace once::testing {
namespace {

std::uint64_t choose() {
    if (char const* const given = std::getenv("ONCE_SEED"); given != nullptr && *given != '\0') {
        std::string_view const text{given};
        std::uint64_t value = 0;
        auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (status != std::errc{} || end != text.data() + text.size()) {
            throw std::invalid_argument{"ONCE_SEED must be a number from 0 to 2^64 - 1"};
        }
        return value;
    }
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

/// In this file, so that it is linked exactly into the programs that use a seed.
class seed_printer : public Catch::EventListenerBase {
public:
    using Catch::EventListenerBase::EventListenerBase;

    void testCaseEnded(Catch::TestCaseStats const& stats) override {
        if (!stats.totals.assertions.allOk()) {
            std::fprintf(stderr, "'%s' failed with ONCE_SEED=%s\n", stats.testInfo->name.c_str(),
                         std::to_string(seed()).c_str());
        }
    }
};

CATCH_REGISTER_LISTENER(seed_printer)

} // namespace

std::uint64_t seed() {
    static std::uint64_t const value = choose();
    return value;
}

} // namespace once::testing
