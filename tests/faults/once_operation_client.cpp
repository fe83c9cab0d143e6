// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/booking.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

/** @file
 * usage: once_operation_client DSN idempotent_remote|at_most_once KEY
 *
 * Books once and prints the outcome and, on the next line, the body of the answer. A program of its own, so that a test
 * can kill or stop it at any moment.
 */
int main(int argc, char** argv) {
    using namespace once;
    if (argc != 4) {
        return 2;
    }
    try {
        database db{argv[1]};
        auto const how =
            std::string_view{argv[2]} == "at_most_once" ? effect::at_most_once : effect::idempotent_remote;
        auto const reply = testing::make_booking(how, argv[1]).run(db, testing::booking_request(argv[3]));
        std::printf("%s\n%s", std::string{to_string(reply.outcome)}.c_str(),
                    reply.response ? reply.response->body.data().c_str() : "");
        return 0;
    } catch (std::exception const& e) {
        std::printf("threw\n%s", e.what());
        return 1;
    }
}
