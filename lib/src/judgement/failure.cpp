// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "judgement/failure.hpp"

#include <once/advise.hpp>
#include <once/consumer.hpp>
#include <once/error.hpp>

#include <pqxx/except>

#include <new>
#include <stdexcept>

namespace once::detail {

namespace {

// What the server has too little of (53), what its operator does (57), its system (58), itself (XX), and a primary that
// has become a standby. 57014 is a statement that was cancelled or took too long: of the library's own, or of a
// message.
bool is_about_the_server(std::string_view state, during what) noexcept {
    bool const own = what != during::message;
    return state.starts_with("53") || state.starts_with("57P") || state.starts_with("58") ||
           state == "25006" || (own && (state == "57014" || state.starts_with("XX")));
}

bool is_too_much(std::string_view state, during what) noexcept {
    // 53200: out of memory, 54000: a limit of the server, for example on the size of a text.
    return what != during::own_statement && (state == "53200" || state == "54000");
}

fault judge_own_sqlstate(std::string_view state) noexcept {
    if (state == "ON065" || state == "ON010" || state == "ON069") {
        return fault::another_reader; // or a failover, after which the batch is read again, too
    }
    if (state == "ON061") {
        return fault::paused;
    }
    if (state == "55P03") {
        return fault::conflict; // a lock of the library's own
    }
    return fault::set_up;
}

} // namespace

fault judge_sqlstate(std::string_view state, during what) noexcept {
    if (state == "40001" || state == "40P01") {
        return fault::conflict;
    }
    if (is_too_much(state, what)) {
        return fault::too_much;
    }
    auto const advised = advise_sqlstate(state);
    if (is_about_the_server(state, what) || advised == advice::reconnect ||
        advised == advice::ask_database_first) {
        return fault::database;
    }
    if (what == during::message) {
        return fault::message;
    }
    auto const own = judge_own_sqlstate(state);
    bool const about_subscription = state.starts_with("ON06");
    return what == during::commit && own == fault::set_up && !about_subscription ? fault::message : own;
}

bool may_be_set_up(std::string_view state) noexcept {
    // No such feature, state of the transaction, rights, catalog, schema, syntax and names, configuration, internal.
    for (std::string_view const group : {"0A", "25", "28", "2F", "3D", "3F", "42", "F0", "XX"}) {
        if (state.starts_with(group)) {
            return true;
        }
    }
    return false;
}

fault judge_failure(std::exception const& e, during what) noexcept {
    if (dynamic_cast<message_rejected const*>(&e) != nullptr) {
        return fault::rejected;
    }
    if (dynamic_cast<std::bad_alloc const*>(&e) != nullptr ||
        dynamic_cast<std::length_error const*>(&e) != nullptr) {
        return fault::too_much;
    }
    // A lost connection is one, whatever SQLSTATE came with it.
    auto const advised = advise(e);
    if (advised == advice::reconnect || advised == advice::ask_database_first) {
        return fault::database;
    }
    if (auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e)) {
        return judge_sqlstate(sql->sqlstate(), what);
    }
    if (what == during::message || dynamic_cast<transaction_poisoned const*>(&e) != nullptr) {
        return fault::message;
    }
    if (dynamic_cast<deadline_exceeded const*>(&e) != nullptr) {
        return fault::database;
    }
    if (what == during::commit && dynamic_cast<error const*>(&e) == nullptr) {
        return fault::message;
    }
    return fault::set_up;
}

fault judge_attempt(std::exception const& e, attempt_facts const& facts) noexcept {
    bool const alone = facts.messages <= 1;
    bool const of_server = dynamic_cast<pqxx::sql_error const*>(&e) != nullptr;
    if (facts.out_of_time) {
        return alone ? fault::message : fault::too_much;
    }
    if (of_server && facts.session_ended) {
        return fault::database;
    }
    auto const judged = judge_failure(e, facts.what);
    if (judged != fault::too_much || !alone) {
        return judged;
    }
    return of_server ? fault::database : fault::message;
}

} // namespace once::detail
