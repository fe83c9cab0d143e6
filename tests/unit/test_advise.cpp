// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/advise.hpp>
#include <once/error.hpp>

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>

#include <new>
#include <stdexcept>
#include <string>

using once::advice;
using once::advise;
using once::advise_sqlstate;

TEST_CASE("the advice for an error of the server follows its SQLSTATE", "[advise]") {
    struct row {
        char const* state;
        advice expected;
    };
    constexpr row rows[]{
        {"40001", advice::retry_transaction},  // serialization_failure
        {"40P01", advice::retry_transaction},  // deadlock_detected
        {"55P03", advice::retry_transaction},  // lock_not_available
        {"40003", advice::ask_database_first}, // statement_completion_unknown
        {"08007", advice::ask_database_first}, // transaction_resolution_unknown
        {"08000", advice::ask_database_first}, // connection_exception
        {"08003", advice::ask_database_first}, // connection_does_not_exist
        {"08006", advice::ask_database_first}, // connection_failure
        {"08P01",
         advice::ask_database_first}, // protocol_violation: a pooler that has lost the server says so
        {"08001", advice::reconnect}, // sqlclient_unable_to_establish_sqlconnection
        {"08004", advice::reconnect}, // sqlserver_rejected_establishment_of_sqlconnection
        {"57P01", advice::reconnect}, // admin_shutdown
        {"57P02", advice::reconnect}, // crash_shutdown
        {"57P03", advice::reconnect}, // cannot_connect_now
        {"57P05", advice::reconnect}, // idle_session_timeout
        {"53300", advice::reconnect}, // too_many_connections
        {"25P03", advice::reconnect}, // idle_in_transaction_session_timeout
        {"26000", advice::reconnect}, // invalid_sql_statement_name
        {"42P05", advice::reconnect}, // duplicate_prepared_statement
        {"40002", advice::give_up},   // transaction_integrity_constraint_violation
        {"57014", advice::give_up},   // query_canceled
        {"23505", advice::give_up},   // unique_violation
        {"22P02", advice::give_up},   // invalid_text_representation
        {"42601", advice::give_up},   // syntax_error
        {"25P02", advice::give_up},   // in_failed_sql_transaction
        {"53100", advice::give_up},   // disk_full
        {"ON001", advice::give_up},
        {"ON004", advice::give_up},
        {"", advice::give_up},
        {"0", advice::give_up},
    };
    for (auto const& row : rows) {
        INFO(row.state);
        CHECK(advise_sqlstate(row.state) == row.expected);
        CHECK(advise(pqxx::sql_error{"failed", "select 1", row.state}) == row.expected);
    }
}

TEST_CASE("the advice for an exception follows what it is", "[advise]") {
    CHECK(advise(pqxx::in_doubt_error{"?"}) == advice::ask_database_first);
    CHECK(advise(pqxx::statement_completion_unknown{"?", "commit", "40003"}) == advice::ask_database_first);
    CHECK(advise(pqxx::broken_connection{"gone"}) == advice::reconnect);
    CHECK(advise(pqxx::serialization_failure{"x", "q", "40001"}) == advice::retry_transaction);
    CHECK(advise(pqxx::deadlock_detected{"x", "q", "40P01"}) == advice::retry_transaction);
    CHECK(advise(pqxx::unique_violation{"x", "q", "23505"}) == advice::give_up);
    CHECK(advise(std::runtime_error{"40001"}) == advice::give_up);
    CHECK(advise(std::bad_alloc{}) == advice::give_up);
    CHECK(advise(once::invalid_argument{"field", "reason"}) == advice::give_up);
    CHECK(advise(once::misuse{"x"}) == advice::give_up);
    CHECK(advise(once::transaction_poisoned{"x"}) == advice::give_up);
}

TEST_CASE("every advice has its word", "[advise]") {
    CHECK(once::to_string(advice::retry_transaction) == "retry_transaction");
    CHECK(once::to_string(advice::reconnect) == "reconnect");
    CHECK(once::to_string(advice::ask_database_first) == "ask_database_first");
    CHECK(once::to_string(advice::give_up) == "give_up");
}
