// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/migrations.hpp>

#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

using namespace once::testing;

namespace {

std::string sha256sum(std::string const& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const pipe{
        ::popen(("sha256sum < '" + path + "'").c_str(), "r"), &::pclose};
    std::array<char, 65> digits{};
    REQUIRE(pipe != nullptr);
    REQUIRE(std::fgets(digits.data(), digits.size(), pipe.get()) != nullptr);
    return digits.data();
}

} // namespace

TEST_CASE("the library holds each migration of the folder byte for byte", "[migrations]") {
    auto const names = migration_names(".up.sql");
    auto const embedded = once::migrations();
    REQUIRE(embedded.size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto const& step = embedded[i];
        INFO(names[i]);
        CHECK(step.version == static_cast<int>(i) + 1);
        CHECK(std::string{step.name} + ".up.sql" == names[i]);
        CHECK(step.up == migration_text(names[i]));
        CHECK(step.down == migration_text(std::string{step.name} + ".down.sql"));
        CHECK(step.up_sha256 == sha256sum(migration_path(names[i])));
    }
}
