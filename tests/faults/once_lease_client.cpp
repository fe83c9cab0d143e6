// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>
#include <once/lease.hpp>
#include <once/token.hpp>

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/transaction>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <unistd.h>
#include <variant>
#include <vector>

/** @file
 * usage: once_lease_client DSN pause MILLISECONDS
 *        once_lease_client DSN round NUMBER WORKER
 *        once_lease_client DSN hold MILLISECONDS
 *        once_lease_client DSN redeem callback|statements TOKEN KEY
 *
 * What holders of leases do, as a program of its own, so that a test can stop and kill it at any moment.
 *
 * pause   acquires the lease "job", says so, waits for a line, then writes under the lease in every way that there is,
 *         and says what came of each. It renews nothing.
 * round   races with others for the lease "round": the winner writes in pieces, each under its fence.
 * hold    acquires the lease "clock" and says for how long it trusts it.
 * redeem  redeems a token of alice for paying, with an effect named KEY.
 */
namespace {

using namespace std::chrono_literals;

// `seen` is how many pieces of former holders stand there: it must be all that there will ever be.
char const* const insert_piece =
    "insert into piece (round, fence, worker, step, seen) values ($1, $2, $3, $4, "
    "(select count(*) from piece where round = $1 and fence < $2))";

void say(std::string const& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

void wait_for_line() {
    char c = 0;
    while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
    }
}

once::lease must_acquire(once::database& db, char const* name, std::chrono::milliseconds duration) {
    return std::get<once::lease>(once::acquire(db, name, duration, {.holder = std::to_string(::getpid())}));
}

int pause(once::database& db, std::string const& dsn, std::chrono::milliseconds duration) {
    auto mine = must_acquire(db, "job", duration);
    auto const fence = mine.fence();
    pqxx::connection connection{dsn};
    pqxx::work open{connection};
    open.exec("insert into effect (key) values ('borrowed')");
    say("acquired");
    wait_for_line();

    say(std::string{"trusted "} + (mine.still_trusted() ? "yes" : "no"));
    auto const write = [](once::transaction& tx) { tx.exec("insert into effect (key) values ('callback')"); };
    auto const callback =
        once::execute(db, {.scope = "pause", .key = "callback", .fingerprint = once::no_fingerprint}, write,
                      {.fence = fence});
    say("execute " + std::string{to_string(callback.outcome())});
    auto const at_once = once::execute(
        db, {.scope = "pause", .key = "statements", .fingerprint = once::no_fingerprint},
        {{"insert into effect (key) values ('statements') returning id"}}, 200, {.fence = fence});
    say("statements " + std::string{to_string(at_once.outcome())});
    say("transact " + std::string{to_string(once::transact(db, write, {.fence = fence}).outcome())});
    try {
        once::assert_fence(open, fence);
        open.commit();
        say("borrowed committed");
    } catch (pqxx::sql_error const& e) {
        say("borrowed " + std::string{e.sqlstate()});
    }
    say(std::string{"renewed "} + (mine.renew() ? "yes" : "no"));
    say(std::string{"released "} + (mine.release() ? "yes" : "no"));
    return 0;
}

int race(once::database& db, std::string const& name, std::string const& worker) {
    for (;;) {
        auto result = once::acquire(db, "round " + name, 150ms, {.holder = worker});
        auto* const mine = std::get_if<once::lease>(&result);
        if (mine == nullptr) {
            std::this_thread::sleep_for(2ms);
            continue;
        }
        int step = 1;
        for (; step <= 3; ++step) {
            auto const reply = once::transact(
                db,
                [&](once::transaction& tx) {
                    tx.exec(insert_piece, pqxx::params{name, mine->fence().number, worker, step});
                    tx.exec("select pg_sleep(0.01)"); // so that a stop often falls into the middle
                },
                {.fence = mine->fence()});
            if (!reply.done()) {
                break;
            }
        }
        // On a slow machine the lease can end before the third step, and be released all the same when nobody took it.
        if (mine->release() && step > 3) {
            return 0;
        }
    }
}

int redeem(once::database& db, std::string const& how, std::string const& token, std::string const& key) {
    once::redemption const given{
        .token = token, .principal = "alice", .purpose = "pay", .fingerprint = once::no_fingerprint};
    once::call_options const options{.wait = 8s, .deadline = 20s};
    auto const reply = [&] {
        if (how == "callback") {
            return once::execute(
                db, given,
                [&](once::transaction& tx) {
                    tx.exec("insert into effect (key) values ($1)", pqxx::params{key});
                    return once::response{.status = 201, .body = once::body::text("paid " + key)};
                },
                options);
        }
        return once::execute(db, given,
                             {{"insert into effect (key) values ($1) returning key", once::parameters{key}}},
                             201, options);
    }();
    say(std::string{to_string(reply.outcome())});
    say(reply.has_response() ? reply.response().body.data() : "");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    std::vector<std::string> const words{argv, argv + argc};
    if (words.size() < 4) {
        return 2;
    }
    try {
        once::database db{words[1]};
        if (words[2] == "pause") {
            return pause(db, words[1], std::chrono::milliseconds{std::stoi(words[3])});
        }
        if (words[2] == "round" && words.size() == 5) {
            return race(db, words[3], words[4]);
        }
        if (words[2] == "hold") {
            auto mine = must_acquire(db, "clock", std::chrono::milliseconds{std::stoi(words[3])});
            say(std::to_string(mine.trusted_for().count()));
            mine.detach();
            return 0;
        }
        if (words[2] == "redeem" && words.size() == 6) {
            return redeem(db, words[3], words[4], words[5]);
        }
        return 2;
    } catch (std::exception const& e) {
        say(std::string{"threw "} + e.what());
        return 1;
    }
}
