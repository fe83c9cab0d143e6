// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "visitor.hpp"

#include <once/execute.hpp>

#include "random_text.hpp"

#include <pqxx/pqxx>

namespace shop {

namespace {

constexpr std::string_view cookie_name = "visitor=";
constexpr std::size_t cookie_size = 32;

std::string_view cookie_in(std::string_view header) {
    while (!header.empty()) {
        auto const end = std::min(header.find(';'), header.size());
        auto cookie = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        cookie.remove_prefix(std::min(cookie.find_first_not_of(' '), cookie.size()));
        if (cookie.starts_with(cookie_name)) {
            return cookie.substr(cookie_name.size());
        }
    }
    return {};
}

bool looks_right(std::string_view cookie) {
    return cookie.size() == cookie_size &&
           cookie.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

std::optional<visitor> visitor_of(once::database& db, std::string_view cookie_header) {
    auto const cookie = cookie_in(cookie_header);
    if (!looks_right(cookie)) {
        return std::nullopt;
    }
    std::optional<visitor> found;
    once::transact(db, [&](once::transaction& tx) {
        auto const rows =
            tx.exec("select id from web_shop.visitor where cookie_sha256 = sha256(decode($1, 'hex'))",
                    pqxx::params{std::string{cookie}});
        found.reset();
        if (!rows.empty()) {
            found = visitor{rows[0][0].as<std::int64_t>()};
        }
    }).expect_committed();
    return found;
}

arrival welcome(once::database& db) {
    auto const cookie = random_text();
    arrival made;
    made.set_cookie = std::string{cookie_name} + cookie + "; Path=/; HttpOnly; SameSite=Lax";
    once::transact(db, [&](once::transaction& tx) {
        made.who.id = tx.query_value<std::int64_t>(
            "insert into web_shop.visitor (cookie_sha256) values (sha256(decode($1, 'hex'))) returning id",
            pqxx::params{cookie});
    }).expect_committed();
    return made;
}

} // namespace shop
