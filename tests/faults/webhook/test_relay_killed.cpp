// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>
#include <once/subscription.hpp>

#include "support/child_process.hpp"
#include "support/database.hpp"
#include "support/http_receiver.hpp"
#include "support/seed.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/params>
#include <pqxx/pqxx>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>
#include <random>
#include <set>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

class relayed_database : public test_database {
public:
    explicit relayed_database(int max_attempts) {
        transact(m_db, [&](transaction& tx) {
            REQUIRE(
                subscribe(tx, "s", {.max_attempts = max_attempts, .backoff_base = 1ms, .backoff_cap = 20ms}));
        }).expect_committed();
    }

    /// `count` messages of 5 keys and of none; the payload is key and number.
    void publish(int count) {
        transact(m_db, [&](transaction& tx) {
            for (int i = 0; i < count; ++i) {
                auto const key = i % 6 == 5 ? "" : "k" + std::to_string(i % 6);
                add(tx, key, key + ":" + std::to_string(i));
            }
        }).expect_committed();
    }
    void publish(std::string const& key, std::string const& text) {
        transact(m_db, [&](transaction& tx) { add(tx, key, text); }).expect_committed();
    }
    [[nodiscard]] std::string ask(std::string const& sql) const {
        pqxx::connection connection{dsn()};
        pqxx::nontransaction tx{connection};
        auto const result = tx.exec(sql);
        return result.empty() || result[0][0].is_null() ? "" : result[0][0].as<std::string>();
    }

    /// Payload by id of all that was staged.
    std::map<std::string, std::string> staged{};

private:
    void add(transaction& tx, std::string const& key, std::string const& text) {
        auto const id = message_id::random();
        tx.publish({.topic = "t", .key = key, .payload = body::text(text), .id = id});
        // What travels is bound to the service.
        staged.emplace(
            tx.query_value<std::string>("select once.message_id_of($1::uuid)", pqxx::params{id.to_string()}),
            text);
    }

    database m_db{dsn()};
};

std::vector<std::string> command(relayed_database const& server, http_receiver const& receiver,
                                 std::string const& point = "none", int count = 1) {
    return {ONCE_RELAY_CLIENT, server.dsn(), receiver.url(), point, std::to_string(count)};
}

/// What the receiver has said yes to, by id.
std::set<std::string> accepted(http_receiver const& receiver, std::set<std::string> const& refused) {
    std::set<std::string> made;
    for (auto const& request : receiver.requests()) {
        if (!refused.contains(request.id())) {
            made.insert(request.id());
        }
    }
    return made;
}

/// @return complaints about order, bytes and completeness
std::string check(relayed_database const& server, http_receiver const& receiver) {
    std::string complaints;
    std::map<std::string, int> last;
    std::set<std::string> seen;
    for (auto const& request : receiver.requests()) {
        auto const staged = server.staged.find(request.id());
        if (staged == server.staged.end() || staged->second != request.body) {
            complaints += "an unknown id, or other bytes: " + request.id() + "\n";
            continue;
        }
        if (!seen.insert(request.id()).second) {
            continue; // repeats are what receivers must expect
        }
        auto const colon = request.body.find(':');
        auto const key = request.body.substr(0, colon);
        auto const number = std::stoi(request.body.substr(colon + 1));
        if (!key.empty() && last.emplace(key, -1).first->second >= number) {
            complaints += "out of order: " + request.body + "\n";
        }
        last[key] = number;
    }
    for (auto const& [id, text] : server.staged) {
        if (!seen.contains(id)) {
            complaints += "lost: " + text + "\n";
        }
    }
    return complaints;
}

/// Fails some requests and loses some replies, by chance; every id is taken at the latest at its fourth attempt.
class moody {
public:
    explicit moody(std::uint64_t seed) : m_random{seed} {}
    http_answer operator()(http_request const& request) {
        int const attempt = ++m_attempts[request.id()];
        auto const dice = m_random() % 10;
        if (attempt < 4 && dice == 0) {
            return {.status = 500};
        }
        if (attempt < 4 && dice == 1) {
            return {.sent = http_answer::how::lost};
        }
        return {};
    }

private:
    std::mt19937_64 m_random;
    std::map<std::string, int> m_attempts;
};

bool all_through(relayed_database const& server, http_receiver const& receiver) {
    return accepted(receiver, {}).size() == server.staged.size() &&
           server.ask("select count(*) from once.parked_message") == "0" &&
           server.ask("select count(*) from once.outbox as o where not once.is_passed((select c from "
                      "once.newest_checkpoints() "
                      "as c), o.txid, o.id)") == "0";
}

} // namespace

TEST_CASE("a relay killed at any point loses nothing, and what comes twice has the same id and bytes",
          "[faults][relay]") {
    CAPTURE(seed());
    for (std::string const point :
         {"batch taken", "batch published", "acknowledged", "parked taken", "parked published", "receiver"}) {
        CAPTURE(point);
        relayed_database server{30};
        http_receiver receiver;
        moody mood{seed()};
        std::atomic<pid_t> victim = 0;
        std::atomic<int> requests = 0;
        receiver.set_script([&](http_request const& request) {
            // The request has arrived, and its sender never hears of it.
            // Read once: a 0 would name the process group of the test.
            pid_t const pid = victim;
            if (point == "receiver" && ++requests % 23 == 0 && pid > 0) {
                ::kill(pid, SIGKILL);
            }
            return mood(request);
        });
        server.publish(60);
        int killed = 0;
        for (int round = 1; round <= 3; ++round) {
            child_process child{command(server, receiver, point, round)};
            victim = child.pid();
            // It may have come through everything without having reached the point once more.
            static_cast<void>(
                wait_until([&] { return child.ended() || all_through(server, receiver); }, 60s));
            victim = 0;
            if (!child.ended()) {
                child.signal(SIGTERM);
            }
            auto const ending = child.wait();
            CAPTURE(ending.output);
            CHECK((ending.killed() || ending.succeeded()));
            killed += ending.killed() ? 1 : 0;
        }
        child_process last{command(server, receiver)};
        CHECK(wait_until([&] { return all_through(server, receiver); }, 60s));
        last.signal(SIGTERM);
        CHECK(last.wait().succeeded());
        std::printf("%s: %d killed, %zu requests for %zu messages\n", point.c_str(), killed,
                    receiver.request_count(), server.staged.size());
        CHECK(killed >= 1);
        CHECK(check(server, receiver) == "");
    }
}

TEST_CASE("a relay that was stopped past its lease sends nothing when it wakes up, and moves nothing",
          "[faults][relay]") {
    relayed_database server{30};
    http_receiver receiver;
    server.publish(30);
    child_process zombie{command(server, receiver, "stop", 1)};
    REQUIRE(wait_until([&] { return zombie.stopped(); }));
    CHECK(receiver.request_count() == 0);

    child_process next{command(server, receiver)};
    REQUIRE(wait_until([&] { return all_through(server, receiver); }, 60s));
    CHECK(receiver.request_count() == server.staged.size());
    auto const number = server.ask("select max(number) from once.checkpoint");

    zombie.signal(SIGCONT);
    // It finds that its lease is gone, asks for it, and is told that somebody else has it; then there is more to do.
    server.publish(30);
    CHECK(wait_until([&] { return all_through(server, receiver); }, 60s));
    zombie.signal(SIGTERM);
    CHECK(zombie.wait().succeeded());
    next.signal(SIGTERM);
    CHECK(next.wait().succeeded());
    CHECK(receiver.request_count() == server.staged.size()); // nothing came twice
    CHECK(std::stoll(server.ask("select max(number) from once.checkpoint")) > std::stoll(number));
}

TEST_CASE("a message that kills its relay ends up dead, and everything else is delivered",
          "[faults][relay]") {
    relayed_database server{3};
    http_receiver receiver;
    server.publish(20);
    server.publish("p", "poison");
    auto const poison =
        std::ranges::find(server.staged, "poison", &std::pair<std::string const, std::string>::second)->first;
    server.publish(20);
    auto const is_dead = [&] {
        return server.ask("select count(*) from once.parked_message where state = 'dead'") == "1";
    };
    auto const others = [&] { return accepted(receiver, {}).size() == server.staged.size() - 1; };
    int killed = 0;
    for (bool done = false; !done;) {
        child_process child{command(server, receiver)};
        done = wait_until([&] { return child.ended() || (is_dead() && others()); }, 60s) && !child.ended();
        if (done) {
            child.signal(SIGTERM);
        }
        killed += child.wait().killed() ? 1 : 0;
        REQUIRE(killed < 10);
    }
    std::printf("poison: %d killed\n", killed);
    CHECK(killed >= 2);
    CHECK(server.ask("select message_id from once.parked_message where state = 'dead'") == poison);
    CHECK(
        server.ask("select last_error from once.parked_message where state = 'dead'").find("worker ended") !=
        std::string::npos);
    CHECK(others());
}
