// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>

#include <pqxx/params>
#include <pqxx/result>

#include <cstdio>
#include <exception>
#include <string>

/** @file
 * usage: once_inbox_client DSN MESSAGE_ID
 *
 * One delivery of a message: prints what the inbox said. A program of its own, so that a test can kill it.
 */
int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    try {
        once::database db{argv[1]};
        once::inbox const inbox{"billing", {.wait = std::chrono::seconds{20}}};
        once::incoming const message{.id = once::message_id::parse(argv[2]),
                                     .fingerprint = once::fingerprint{argv[2]}};
        auto made = once::receipt::in_progress;
        auto const reply = once::transact(db, [&](once::transaction& tx) {
            made = inbox.receive(tx, message);
            if (made == once::receipt::fresh) {
                tx.exec("insert into effect (what) values ($1)", pqxx::params{message.id.to_string()});
            }
        });
        std::printf("%s", reply.committed() ? std::string{to_string(made)}.c_str() : "unknown");
        return reply.committed() ? 0 : 1;
    } catch (std::exception const& e) {
        std::printf("threw %s", e.what());
        return 1;
    }
}
