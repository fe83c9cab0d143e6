// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/statement_text.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace once::detail {

namespace {

constexpr std::string_view blanks = " \t\r\n\f\v";

// Comments in C style nest in PostgreSQL. One that does not end takes all: the server says so.
std::string_view behind_block_comment(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i + 1 < text.size();) {
        auto const two = text.substr(i, 2);
        depth += two == "/*" ? 1U : 0U;
        depth -= two == "*/" ? 1U : 0U;
        i += two == "/*" || two == "*/" ? 2U : 1U;
        if (depth == 0) {
            return text.substr(i);
        }
    }
    return text;
}

std::string_view behind_blanks(std::string_view text) {
    for (;;) {
        auto const start = std::min(text.find_first_not_of(blanks), text.size());
        text.remove_prefix(start);
        auto const before = text.size();
        if (text.starts_with("--")) {
            text.remove_prefix(std::min(text.find('\n'), text.size()));
        } else if (text.starts_with("/*")) {
            text = behind_block_comment(text);
        }
        if (text.size() == before) {
            return text;
        }
    }
}

bool begins_with_word(std::string_view text, std::string_view word) {
    auto const same = [](unsigned char a, char b) { return std::tolower(a) == b; };
    if (text.size() <= word.size() || !std::ranges::equal(text.substr(0, word.size()), word, same)) {
        return false;
    }
    auto const next = static_cast<unsigned char>(text[word.size()]);
    return std::isalnum(next) == 0 && next != '_' && next != '$' && next < 0x80;
}

std::string_view without_end(std::string_view text) {
    auto const last = text.find_last_not_of(blanks);
    if (last != std::string_view::npos && text[last] == ';') {
        return text.substr(0, last);
    }
    return text;
}

} // namespace

statement_text read_statement(std::string_view given) {
    if (given.starts_with("\xef\xbb\xbf")) {
        given.remove_prefix(3);
    }
    auto sql = behind_blanks(without_end(given));
    statement_text made;
    made.with = begins_with_word(sql, "with");
    if (made.with) {
        sql = behind_blanks(sql.substr(4));
        made.recursive = begins_with_word(sql, "recursive");
        sql = made.recursive ? behind_blanks(sql.substr(9)) : sql;
    }
    made.sql = sql;
    return made;
}

} // namespace once::detail
