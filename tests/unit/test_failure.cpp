// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/error.hpp>

#include "judgement/failure.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/except>

#include <new>
#include <stdexcept>
#include <string>

using namespace once::detail;

TEST_CASE("an error of a message's own statement is the message's, unless it is about the server",
          "[judgement]") {
    // Any class can be raised by a trigger for one row, also one that nobody has heard of.
    for (std::string const state : {"OR001", "P0001", "22P02", "23505", "42501", "42P01", "3F000", "0A000",
                                    "21000", "44000", "57014", "55P03", "XX000", "ON061", "25001"}) {
        CAPTURE(state);
        CHECK(judge_sqlstate(state, during::message) == fault::message);
    }
    for (std::string const state : {"53100", "53300", "57P01", "58030", "25006", "08006", "26000"}) {
        CAPTURE(state);
        CHECK(judge_sqlstate(state, during::message) == fault::database);
    }
    CHECK(judge_sqlstate("40001", during::message) == fault::conflict);
    CHECK(judge_sqlstate("53200", during::message) == fault::too_much);
    CHECK(judge_sqlstate("54000", during::message) == fault::too_much);
}

TEST_CASE(
    "an error of a statement of the library is waited out where time helps, and ends the worker where not",
    "[judgement]") {
    for (std::string const state :
         {"53100", "53200", "53300", "57014", "57P01", "57P03", "58030", "25006", "08006", "26000", "40001",
          "40P01", "55P03", "XX000", "ON061", "ON065", "ON010"}) {
        CAPTURE(state);
        CHECK(is_waited_out(judge_sqlstate(state, during::own_statement)));
    }
    for (std::string const state : {"42501", "42P01", "42883", "3F000", "28000", "0A000", "22023", "23505",
                                    "ON060", "ON062", "ON066"}) {
        CAPTURE(state);
        CHECK(judge_sqlstate(state, during::own_statement) == fault::set_up);
    }
    CHECK(judge_sqlstate("ON061", during::own_statement) == fault::paused);
    CHECK(judge_sqlstate("ON065", during::own_statement) == fault::another_reader);
}

TEST_CASE("at COMMIT messages speak, too, through deferred constraints and triggers", "[judgement]") {
    CHECK(judge_sqlstate("23503", during::commit) == fault::message);
    CHECK(judge_sqlstate("OR001", during::commit) == fault::message);
    CHECK(judge_sqlstate("ON065", during::commit) == fault::another_reader);
    CHECK(judge_sqlstate("ON062", during::commit) == fault::set_up);
    CHECK(judge_sqlstate("53100", during::commit) == fault::database);
    CHECK(judge_sqlstate("57014", during::commit) == fault::database);
}

TEST_CASE("exceptions are judged as what they are, from any thrower", "[judgement]") {
    CHECK(judge_failure(once::message_rejected{"no"}, during::message) == fault::rejected);
    CHECK(judge_failure(std::runtime_error{"x"}, during::message) == fault::message);
    CHECK(judge_failure(pqxx::broken_connection{"x"}, during::message) == fault::database);
    CHECK(judge_failure(pqxx::in_doubt_error{"x"}, during::commit) == fault::database);
    for (auto const what : {during::message, during::commit, during::own_statement}) {
        CHECK(judge_failure(std::bad_alloc{}, what) == fault::too_much);
        CHECK(judge_failure(std::length_error{"x"}, what) == fault::too_much);
    }
    CHECK(judge_failure(once::schema_error{"x"}, during::own_statement) == fault::set_up);
    CHECK(judge_failure(once::configuration_error{"x"}, during::own_statement) == fault::set_up);
    CHECK(judge_failure(once::misuse{"x"}, during::commit) == fault::set_up);
    CHECK(judge_failure(once::transaction_poisoned{"x"}, during::commit) == fault::message);
    CHECK(judge_failure(once::deadline_exceeded{"x"}, during::own_statement) == fault::database);
    CHECK(judge_failure(std::logic_error{"x"}, during::own_statement) == fault::set_up);
}

TEST_CASE(
    "what is too much for several messages is tried with fewer; for one alone it is that message's fault",
    "[judgement]") {
    std::bad_alloc const no_memory;
    pqxx::sql_error const servers{"out of memory", "", "53200"};
    CHECK(judge_attempt(no_memory, {.messages = 2}) == fault::too_much);
    CHECK(judge_attempt(no_memory, {.messages = 1}) == fault::message);
    CHECK(judge_attempt(servers, {.messages = 2}) == fault::too_much);
    CHECK(judge_attempt(servers, {.messages = 1}) == fault::database);
}

TEST_CASE("an attempt that ran out of time is too much, whatever its end looked like", "[judgement]") {
    for (bool const ended : {false, true}) {
        attempt_facts facts{.messages = 3, .session_ended = ended, .out_of_time = true};
        CHECK(judge_attempt(pqxx::broken_connection{"cut"}, facts) == fault::too_much);
        facts.messages = 1;
        CHECK(judge_attempt(pqxx::broken_connection{"cut"}, facts) == fault::message);
    }
}

TEST_CASE("an error that ended the session is about the database, whatever its SQLSTATE says",
          "[judgement]") {
    pqxx::sql_error const fatal{"terminating", "", "22023"};
    CHECK(judge_attempt(fatal, {.session_ended = true}) == fault::database);
    CHECK(judge_attempt(fatal, {.session_ended = false}) == fault::message);
}
