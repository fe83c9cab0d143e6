// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "variant.hpp"

#include <stdexcept>

namespace once::bench {

std::string key_source::next() {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string key;
    key.reserve(32);
    for (int half = 0; half < 2; ++half) {
        auto bits = m_random();
        for (int i = 0; i < 16; ++i, bits >>= 4U) {
            key += digits[bits & 0xfU];
        }
    }
    return key;
}

std::string key_to_find(std::uint64_t number) {
    key_source source{number % records_to_find};
    return source.next();
}

// More than 60 lines: a table.
std::vector<variant> const& variants() {
    static std::vector<variant> const all{
        {"select-1", 1, {}, select_one, "select 1: what a round trip costs"},
        {"bare", 3, {.orders = 1}, bare, "BEGIN; order; COMMIT"},
        {"hand-written",
         6,
         {.orders = 1, .outbox = 1, .by_hand = 1},
         hand_written,
         "BEGIN; key; order; outbox; UPDATE response; COMMIT"},
        {"execute",
         3,
         {.orders = 1, .outbox = 1, .records = 1},
         [](std::string const& dsn) { return with_callback(dsn, business::prepared, true); },
         "once::execute, callback inserts the order, outbox by at_commit"},
        {"execute-0",
         3,
         {.orders = 1, .records = 1},
         [](std::string const& dsn) { return with_callback(dsn, business::prepared, false); },
         "the same without the outbox"},
        {"execute-sql-0",
         3,
         {.orders = 1, .records = 1},
         [](std::string const& dsn) { return with_callback(dsn, business::plain_sql, false); },
         "the same with the order as unprepared SQL"},
        {"one-trip",
         1,
         {.orders = 1, .outbox = 1, .records = 1},
         [](std::string const& dsn) { return in_one_trip(dsn, true); },
         "once::execute with statements: outbox, order returning the response"},
        {"one-trip-0",
         1,
         {.orders = 1, .records = 1},
         [](std::string const& dsn) { return in_one_trip(dsn, false); },
         "the same without the outbox"},
        {"plain-0",
         3,
         {.orders = 1, .records = 1},
         [](std::string const& dsn) { return plain_sql(dsn, false); },
         "the rows of execute-0 by prepared SQL, without a function or a check: the floor"},
        {"plain-one-trip-0",
         1,
         {.orders = 1, .records = 1},
         [](std::string const& dsn) { return plain_sql(dsn, true); },
         "the same in one round trip"},
        {"replay", 2, {}, replay, "once::execute of a key that is there"},
        {"inbox",
         4,
         {.orders = 1},
         [](std::string const& dsn) { return through_inbox(dsn, 1); },
         "once::inbox, one message and its order in a transaction"},
        {"inbox-20",
         4,
         {.orders = 20},
         [](std::string const& dsn) { return through_inbox(dsn, 20); },
         "once::inbox, 20 messages and their orders in a transaction"},
        {"window",
         4,
         {.orders = 1, .records = 1},
         through_window,
         "once::execute with once::per_window, order"},
        {"operation",
         10,
         {.orders = 1, .records = 1},
         through_operation,
         "once::operation: begin; order; call; response"},
        {"pk-select", 1, {}, primary_key_select, "SELECT of that record by primary key"},
    };
    return all;
}

variant const& variant_named(std::string_view name) {
    for (auto const& one : variants()) {
        if (one.name == name) {
            return one;
        }
    }
    throw std::invalid_argument{"no variant " + std::string{name}};
}

} // namespace once::bench
