// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/operation_worker.hpp>

#include "faults/booking.hpp"
#include "support/child_process.hpp"
#include "support/effects.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <future>
#include <string>
#include <sys/types.h>
#include <vector>

using namespace once::testing;
using once::effect;

namespace {

struct place {
    int connection;
    wire_direction direction;
    int index;
};

class booking_database : public effects_database {
public:
    booking_database() { run(booking_tables); }

    [[nodiscard]] std::vector<std::string> command(std::string const& dsn, effect how,
                                                   std::string const& key) const {
        return {ONCE_OPERATION_CLIENT, dsn, std::string{to_string(how)}, key};
    }

    /// Every message of an undisturbed booking, on the connection of the service and on that of the provider.
    [[nodiscard]] std::vector<place> places(effect how) const {
        wire_proxy proxy{upstream()};
        REQUIRE(child_process{command(through(proxy), how, "probe-" + std::string{to_string(how)})}
                    .wait()
                    .succeeded());
        REQUIRE(proxy.wait_closed(1));
        std::vector<place> made;
        bool begun = false;
        for (auto const& e : proxy.trace()) {
            begun = begun || e.sql.starts_with("begin");
            if (begun && e.type != 'X') {
                made.push_back({e.connection, e.direction, e.index});
            }
        }
        return made;
    }

    [[nodiscard]] int count(std::string const& table, std::string const& key) const {
        return std::stoi(ask("select count(*) from " + table + " where key = '" + key + "'"));
    }
    [[nodiscard]] std::string state(std::string const& key) const {
        return ask("select state from once.operation where key = '" + key + "'");
    }
    void end_lease(std::string const& key) const {
        run("update once.operation set lease_until = clock_timestamp() where state = 'running' and key = '" +
            key + "'");
    }
    [[nodiscard]] bool done_once(std::string const& key) const {
        return ask("select string_agg(phase, ' ' order by id) from done where key = '" + key + "'") ==
               "reserve confirm";
    }
};

std::string describe(place const& where) {
    return "connection " + std::to_string(where.connection) +
           (where.direction == wire_direction::to_server ? ", to the server " : ", to the client ") +
           std::to_string(where.index);
}

/// Runs a client that gets `signal` at this message.
template <class Meanwhile>
child_process::ending disturb(booking_database const& db, effect how, place const& where,
                              std::string const& key, int signal, Meanwhile&& meanwhile) {
    auto const begun = db.ask("select clock_timestamp()");
    wire_proxy proxy{db.upstream()};
    std::atomic<pid_t> client = 0;
    // What a killed client has sent in one go would arrive whole, so the stream is cut behind the message, too.
    bool const cuts = signal == SIGKILL && where.direction == wire_direction::to_server;
    auto const hit =
        proxy.add(at(where.connection, where.direction, where.index, cuts ? act::cut_after() : act::forward())
                      .doing([&](event const& e) {
                          client = e.client_pid;
                          if (e.client_pid > 0) { // 0 would be this process's own group
                              ::kill(e.client_pid, signal);
                          }
                      }));
    child_process process{db.command(db.through(proxy), how, key)};
    CHECK(hit.wait_fired());
    meanwhile(client.load());
    auto const end = process.wait();
    // The server process of a killed client still carries out what it has got, and only then finds nobody there.
    if (signal == SIGKILL) {
        CHECK(wait_until([&] {
            return db.ask("select count(*) from pg_stat_activity where datname = current_database()"
                          " and pid <> pg_backend_pid() and backend_start > '" +
                          begun + "'") == "0";
        }));
    }
    return end;
}

/// Runs `one` for each message of an undisturbed booking, with a new key. @return how many
template <class One>
std::size_t at_each_message(booking_database const& db, effect how, One&& one) {
    auto const places = db.places(how);
    int number = 0;
    for (auto const& where : places) {
        INFO(describe(where));
        one(where, "key-" + std::to_string(++number));
    }
    return places.size();
}

/// Asks again, in the end, when all of it must have been done once.
/// @param calls the table of the receiver's effects
/// @return the response
std::string ask_again(booking_database const& db, effect how, std::string const& key,
                      std::string const& calls) {
    auto const again = child_process{db.command(db.dsn(), how, key)}.wait();
    CHECK((again.output.starts_with("done\n") || again.output.starts_with("replayed\n")));
    CHECK(db.done_once(key));
    CHECK(db.count(calls, key) == 1);
    return again.output.substr(again.output.find('\n') + 1);
}

} // namespace

TEST_CASE("an operation killed at any message is completed once by a repeat or a worker",
          "[faults][operation]") {
    booking_database const db;
    once::database own{db.dsn()};
    auto const how = effect::idempotent_remote;
    int number = 0;
    int by_worker = 0;
    auto const killed = at_each_message(db, how, [&](place const& where, std::string const& key) {
        CHECK(disturb(db, how, where, key, SIGKILL, [](pid_t) {}).killed());
        db.end_lease(key);
        if (++number % 2 == 0) {
            by_worker += once::operation_worker{own, {make_booking(how, db.dsn())}}.run_once().done;
        }
        auto const response = ask_again(db, how, key, "charge");
        CHECK(response ==
              db.ask("select response_json from once.idempotency_record where key = '" + key + "'"));
        CHECK(db.state(key) == "finished");
    });
    std::printf("operations killed: %zu, of which a worker completed %d\n", killed, by_worker);
    CHECK(killed > 40);
    CHECK(by_worker > 5);
}

TEST_CASE("a call that must not be repeated is made at most once, wherever its process is killed",
          "[faults][operation]") {
    booking_database const db;
    once::database own{db.dsn()};
    auto const how = effect::at_most_once;
    int not_made = 0;
    int made = 0;
    auto const killed = at_each_message(db, how, [&](place const& where, std::string const& key) {
        CHECK(disturb(db, how, where, key, SIGKILL, [](pid_t) {}).killed());
        db.end_lease(key);
        once::operation_worker worker{own, {make_booking(how, db.dsn())}};
        static_cast<void>(worker.run_once());
        if (db.state(key) == "unknown_effect") {
            auto const calls = db.count("cash", key);
            CHECK(calls <= 1);
            CHECK(child_process{db.command(db.dsn(), how, key)}.wait().output.starts_with("unknown_effect"));
            CHECK(db.count("cash", key) == calls);
            // A person looks at the receiver and decides.
            db.run("select once.resolve_operation('POST /bookings', '" + key + "', '" +
                   (calls == 1 ? "confirm', '{\"charged\": true}')" : "charge')"));
            CHECK(worker.run_once().done == 1);
            ++(calls == 1 ? made : not_made);
        }
        static_cast<void>(ask_again(db, how, key, "cash"));
    });
    std::printf("operations killed: %zu; a person found the call made %d times, not made %d times\n", killed,
                made, not_made);
    CHECK(made > 0);
    CHECK(not_made > 0);
}

TEST_CASE("an owner stopped at any message and woken after a take-over changes nothing any more",
          "[faults][operation]") {
    booking_database const db;
    once::database own{db.dsn()};
    auto const how = effect::idempotent_remote;
    int taken_over = 0;
    auto const stopped = at_each_message(db, how, [&](place const& where, std::string const& key) {
        bool completed = false;
        auto const ending = disturb(db, how, where, key, SIGSTOP, [&](pid_t client) {
            // Where its transaction holds the row, nobody can take the operation over: that ends without a lease.
            db.run("set lock_timeout = '10ms'; do $$ begin update once.operation set lease_until = "
                   "clock_timestamp() "
                   "where state = 'running' and key = '" +
                   key + "'; exception when lock_not_available then end $$");
            completed = once::operation_worker{own, {make_booking(how, db.dsn())}}.run_once().done == 1;
            if (client > 0) {
                ::kill(client, SIGCONT);
            }
        });
        auto const said = ending.output.substr(0, ending.output.find('\n'));
        CHECK((said == "done" || said == "in_progress" || said == "replayed"));
        CHECK(!(completed && said == "done" && db.count("done", key) > 2));
        taken_over += completed && said == "in_progress";
        CHECK(db.done_once(key));
        CHECK(db.count("charge", key) == 1);
        CHECK(db.state(key) == "finished");
    });
    std::printf("owners stopped: %zu, of which %d found their operation taken over\n", stopped, taken_over);
    CHECK(taken_over > 5);
}
