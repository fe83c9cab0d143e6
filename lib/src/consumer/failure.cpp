// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "consumer/failure.hpp"

#include <once/advise.hpp>
#include <once/consumer.hpp>
#include <once/error.hpp>

#include "subscription/batch_reader.hpp"

#include <pqxx/except>

#include <string_view>

namespace once::detail {

namespace {

// What the server has too little of, its operator, its system, and a primary that has become a standby.
bool is_about_the_server(std::string_view state) noexcept {
    return state.starts_with("53") || state.starts_with("57P") || state.starts_with("58") || state == "25006";
}

} // namespace

fault judge_failure(std::exception const& e, bool in_handler) noexcept {
    if (dynamic_cast<message_rejected const*>(&e) != nullptr) {
        return fault::rejected;
    }
    if (auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e)) {
        auto const state = std::string_view{sql->sqlstate()};
        if (state == "40001" || state == "40P01") {
            return fault::conflict;
        }
        if (!in_handler && taken_by_another(e)) {
            return fault::another_reader;
        }
        if (!in_handler && state == "ON061") {
            return fault::paused;
        }
        if (!in_handler && (state == "ON060" || state == "ON062")) {
            return fault::program;
        }
        if (!in_handler && state == "55P03") {
            return fault::conflict; // a lock of the library's own
        }
        if (is_about_the_server(state)) {
            return fault::surroundings;
        }
    }
    auto const advised = advise(e);
    if (advised == advice::reconnect || advised == advice::ask_database_first) {
        return fault::surroundings;
    }
    if (in_handler || dynamic_cast<transaction_poisoned const*>(&e) != nullptr) {
        return fault::message;
    }
    if (dynamic_cast<deadline_exceeded const*>(&e) != nullptr) {
        return fault::surroundings;
    }
    if (dynamic_cast<error const*>(&e) != nullptr) {
        return fault::program;
    }
    return fault::message;
}

} // namespace once::detail
