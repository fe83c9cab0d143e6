// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/statement_text.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <string_view>

using once::detail::read_statement;

TEST_CASE("a statement is understood behind a byte order mark, blanks and comments",
          "[publisher][postgres]") {
    for (std::string const before :
         {"", "\n\t ", "\xef\xbb\xbf", "\xef\xbb\xbf-- what it does\n", "/* one */ /* two */",
          "/* a /* nested */ one */", "-- one\r\n-- two\n\n", "--\n"}) {
        CAPTURE(before);
        auto const plain = read_statement(before + "insert into t select 1");
        CHECK(plain.sql == "insert into t select 1");
        CHECK_FALSE(plain.with);
        auto const with = read_statement(before + "WITH a as (select 1) select 2");
        CHECK(with.with);
        CHECK_FALSE(with.recursive);
        CHECK(with.sql == "a as (select 1) select 2");
        auto const recursive = read_statement(before + "with/**/recursive--x\na as (select 1) select 2");
        CHECK(recursive.with);
        CHECK(recursive.recursive);
        CHECK(recursive.sql == "a as (select 1) select 2");
    }
}

TEST_CASE("a word that only begins like WITH is none", "[publisher][postgres]") {
    CHECK_FALSE(read_statement("within as x").with);
    CHECK_FALSE(read_statement("with_ as x").with);
    CHECK_FALSE(read_statement("with").with);
    CHECK(read_statement("with recursively as (select 1) select 1").sql ==
          "recursively as (select 1) select 1");
}

TEST_CASE("one semicolon at the end of a statement is dropped, and nothing else", "[publisher][postgres]") {
    CHECK(read_statement("select 1;\n").sql == "select 1");
    CHECK(read_statement("select 1 ; select 2").sql == "select 1 ; select 2");
    CHECK(read_statement("select 1 -- why").sql == "select 1 -- why");
    CHECK(read_statement("select /* not closed").sql == "select /* not closed");
}

TEST_CASE("a statement of comments alone is empty", "[publisher][postgres]") {
    for (std::string_view const nothing :
         {"", " \n", "-- only this", "/* only this */", "\xef\xbb\xbf", ";"}) {
        CHECK(read_statement(nothing).sql.empty());
    }
}
