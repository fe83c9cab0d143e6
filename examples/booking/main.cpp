// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// An order whose money is taken at a payment provider elsewhere. Clients are killed at every point, and the provider
// loses replies. In the end each customer has paid exactly once and has one confirmed booking.
//
//     ./booking "dbname=shop"                       the whole play
//     ./booking book "dbname=shop" PORT CUSTOMER FATE   one client, as the play starts it
#include "../own_schema.hpp"
#include "book.hpp"
#include "provider.hpp"

#include <pqxx/pqxx>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <vector>

extern char** environ;

namespace {

using booking::fate;

constexpr int killed_clients_per_fate = 3;

/// One client, which may die.
int book(std::string const& dsn, int port, std::string const& customer, fate const& mine) {
    if (mine.is("start")) {
        std::raise(SIGKILL);
    }
    once::database db{dsn};
    auto const reply =
        booking::book_order(port, mine).run(db, booking::request_of(customer), {{"customer", customer}});
    if (mine.is("end")) {
        std::raise(SIGKILL);
    }
    return reply.outcome == once::operation_outcome::done ? 0 : 3;
}

/// Runs this program as a client; @return what became of it
std::string run_client(char* self, std::string dsn, int port, std::string customer, std::string mine) {
    std::string verb = "book";
    std::string number = std::to_string(port);
    std::vector<char*> arguments{self,        verb.data(), dsn.data(), number.data(), customer.data(),
                                 mine.data(), nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, self, nullptr, nullptr, arguments.data(), environ) != 0) {
        throw std::runtime_error{"cannot start a client"};
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? "killed" : WEXITSTATUS(status) == 0 ? "finished" : "gave up";
}

long count(once::database& db, std::string const& sql) {
    long made = 0;
    once::transact(db, [&](once::transaction& tx) { made = tx.query_value<long>(sql); }).expect_committed();
    return made;
}

/// Lets a worker complete what the dead left behind.
void complete(once::database& db, int port) {
    // [region: worker]
    std::jthread const worker{[&](std::stop_token const& stop) {
        once::operation_worker{db, {booking::book_order(port)}, {.poll = std::chrono::milliseconds{20}}}.run(
            stop);
    }};
    // [endregion]
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (count(db, "select count(*) from booking where charge is null") > 0) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error{"a worker did not complete all bookings within a minute"};
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
}

int play(char* self, std::string const& dsn) {
    once::database db{dsn};
    once::transact(db, [](once::transaction& tx) { tx.exec(booking::tables); }).expect_committed();
    booking::provider const provider;

    std::vector<std::string> customers;
    for (std::string const mine : {"none", "start", "reserve", "before-call", "kill-before", "kill-after",
                                   "lose-reply", "after-call", "confirm", "end"}) {
        std::string seen;
        for (int i = 0; i < killed_clients_per_fate; ++i) {
            customers.push_back(mine + "-" + std::to_string(i));
            seen = run_client(self, dsn, provider.port(), customers.back(), mine);
        }
        std::printf("%-12s client %s\n", mine.c_str(), seen.c_str());
    }
    auto const unfinished = count(db, "select count(*) from booking where charge is null");
    std::printf("%ld bookings were left unfinished\n", unfinished);
    complete(db, provider.port());

    // Every customer asks again with the same key. Who was served gets the stored answer; who died at once is served.
    int replayed = 0;
    for (auto const& customer : customers) {
        auto const reply = booking::book_order(provider.port())
                               .run(db, booking::request_of(customer), {{"customer", customer}});
        if (!reply.response || reply.response->status != 201) {
            std::printf("%s got no booking: %s\n", customer.c_str(),
                        std::string{to_string(reply.outcome)}.c_str());
            return 1;
        }
        replayed += reply.outcome == once::operation_outcome::replayed;
    }

    int wrong = 0;
    auto const charges = provider.charges();
    for (auto const& customer : customers) {
        auto const paid = charges.contains(customer) ? charges.at(customer) : 0;
        auto const booked = count(
            db, "select count(*) from booking where charge is not null and customer = '" + customer + "'");
        if (paid != 1 || booked != 1) {
            std::printf("%s paid %d times and has %ld bookings\n", customer.c_str(), paid, booked);
            ++wrong;
        }
    }
    std::printf("%zu customers, %d asked again and got the stored answer; %d requests reached the provider\n",
                customers.size(), replayed, provider.requests());
    std::printf(wrong == 0 ? "everybody paid once and has one booking\n" : "%d customers were wronged\n",
                wrong);
    bool const faults_happened = unfinished > 0 && provider.requests() > static_cast<int>(customers.size());
    return wrong == 0 && faults_happened ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) try {
    if (argc == 6 && std::strcmp(argv[1], "book") == 0) {
        return book(argv[2], std::stoi(argv[3]), argv[4], {argv[5]});
    }
    return play(argv[0], in_own_schema(argc > 1 ? argv[1] : "", "booking"));
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
