// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/workload.hpp"

#include <cstdio>
#include <exception>
#include <string_view>

/** @file
 * usage: once_fault_client DSN callback|statements KEY
 *
 * Runs the workload once and prints the outcome and, on the next line, the body of the answer. It is a program of its
 * own so that a test can kill it at any moment.
 */
int main(int argc, char** argv) {
    using namespace once::testing;
    if (argc != 4) {
        return 2;
    }
    try {
        once::database db{argv[1]};
        auto const how = std::string_view{argv[2]} == "callback" ? form::callback : form::statements;
        auto const reply = run_workload(
            db, how, argv[3], {.wait = std::chrono::seconds{8}, .deadline = std::chrono::seconds{20}});
        std::printf("%s\n%s", std::string{to_string(reply.outcome())}.c_str(),
                    reply.has_response() ? reply.response().body.data().c_str() : "");
        return 0;
    } catch (std::exception const& e) {
        std::printf("threw\n%s", e.what());
        return 1;
    }
}
