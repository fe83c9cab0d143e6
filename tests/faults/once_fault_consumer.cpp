// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/database.hpp>

#include "support/wait_until.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/result>

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

/** @file
 * usage: once_fault_consumer DSN DIRECT_DSN SUBSCRIPTION COUNT
 *
 * Consumes a subscription, one row of `effect` per message, until COUNT different messages have had their effect. Where
 * its name begins with "late", message 2 fails at first, so that those behind it have to catch up. It is a program of
 * its own so that a test can kill or stop it at any moment. It looks through DIRECT_DSN.
 */
int main(int argc, char** argv) {
    using namespace std::chrono_literals;
    if (argc != 5) {
        return 2;
    }
    std::string const name = argv[3];
    try {
        once::database db{argv[1]};
        once::consumer consumer{db,
                                name,
                                [&](once::delivery const& message, once::transaction& tx) {
                                    if (name.starts_with("late") && message.payload.data() == "2" &&
                                        message.attempt == 1) {
                                        throw std::runtime_error{"not yet"};
                                    }
                                    tx.exec("insert into effect (key) values ($1)",
                                            pqxx::params{message.topic + " " + message.payload.data()});
                                },
                                {.reader = {.batch_messages = 4, .lease = 3s}, .deadline = 2s}};
        pqxx::connection connection{argv[2]};
        std::jthread const worker{[&](std::stop_token const& stop) { consumer.run(stop); }};
        bool const done = once::testing::wait_until(
            [&] {
                return pqxx::nontransaction{connection}
                    .exec("select count(distinct key) >= $2 from effect where key like $1 || ' %'",
                          pqxx::params{name, argv[4]})[0][0]
                    .as<bool>();
            },
            60s);
        std::printf("%s", done ? "done" : "not done");
        return done ? 0 : 1;
    } catch (std::exception const& e) {
        std::printf("threw\n%s", e.what());
        return 1;
    }
}
