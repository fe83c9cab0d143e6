// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/identifier.hpp>
#include <once/migrations.hpp>

#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

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

// Literals that stand in several lines are one.
std::string with_whole_literals(std::string_view sql) {
    return std::regex_replace(std::string{sql}, std::regex{"'\\n *'"}, "");
}

} // namespace

TEST_CASE("the first migration refuses schema names in the words of the library", "[migrations]") {
    CHECK(with_whole_literals(once::migrations().front().up).find(once::schema_name_rule) !=
          std::string::npos);
    CHECK(once::schema_name_rule.find(std::to_string(once::max_schema_name_size) + " bytes") !=
          std::string_view::npos);
}

TEST_CASE("a migration is one statement, so that no tool can apply a part of it", "[migrations]") {
    for (auto const& step : once::migrations()) {
        INFO(step.name);
        for (auto const& [text, begins] : {std::pair{step.up, std::string{"begin_migration"}},
                                           std::pair{step.down, std::string{"begin_removal"}}}) {
            // Comments, then one DO to the end of the file.
            std::string_view rest = text;
            while (rest.starts_with("--")) {
                rest.remove_prefix(rest.find('\n') + 1);
            }
            CHECK(rest.starts_with("\ndo $file$ begin\n"));
            CHECK(rest.ends_with("end $file$;\n"));
            std::size_t marks = 0;
            for (auto at = text.find("$file$"); at != std::string_view::npos;
                 at = text.find("$file$", at + 1)) {
                ++marks;
            }
            CHECK(marks == 2);
            CHECK(text.find("perform " + begins + "('" + std::string{step.name} + "')") !=
                  std::string_view::npos);
        }
    }
}

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

TEST_CASE("the comment of each object stands directly beside it", "[migrations]") {
    // CREATE and COMMENT at the head of a line; what stands in a function is indented.
    std::regex const statement{"\\n(?:create (?:or replace |unique |constraint )*\\w+ |"
                               "(comment) on (?:constraint \\w+ on (?:domain )?|\\w+ ))"
                               "(?:\\{schema\\}\\.)?(\\w+)"};
    for (auto const& step : once::migrations()) {
        std::string const text{step.up};
        std::string newest;
        int comments = 0;
        for (std::sregex_iterator at{text.begin(), text.end(), statement}, end; at != end; ++at) {
            std::string const object = (*at)[2];
            if (!(*at)[1].matched) {
                newest = object;
                continue;
            }
            INFO(step.name << ": the comment on " << object << " stands behind " << newest);
            CHECK(object == newest);
            ++comments;
        }
        CHECK(comments > 0);
    }
}
