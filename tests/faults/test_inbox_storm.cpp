// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>

#include "support/child_process.hpp"
#include "support/effects.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/params>
#include <pqxx/transaction>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;
using once::incoming;
using once::message_id;
using once::receipt;

namespace {

constexpr int message_count = 1500;

std::vector<incoming> deliveries_of(int messages, int times, std::mt19937_64& random) {
    std::vector<incoming> made;
    for (int i = 0; i < messages; ++i) {
        incoming const one{.id = message_id::random(), .fingerprint = once::fingerprint{std::to_string(i)}};
        made.insert(made.end(), static_cast<std::size_t>(times), one);
    }
    std::ranges::shuffle(made, random);
    return made;
}

void work_on(once::transaction& tx, incoming const& one) {
    add_effect(tx, one.id.to_string());
}

/// Takes deliveries off the shared list, singly or in batches, until none is left.
class consumers {
public:
    consumers(once::database& db, std::vector<incoming> const& deliveries)
        : m_db{db}, m_deliveries{deliveries} {}

    void one_by_one(once::inbox const& inbox) {
        for (auto place = m_next++; place < m_deliveries.size(); place = m_next++) {
            auto const& one = m_deliveries[place];
            auto made = receipt::in_progress;
            while (made == receipt::in_progress) { // as a broker does that delivers again
                auto const reply = once::transact(m_db, [&](once::transaction& tx) {
                    made = inbox.receive(tx, one);
                    if (made == receipt::fresh) {
                        work_on(tx, one);
                    }
                });
                made = reply.committed() ? made : receipt::in_progress;
            }
            count(made);
        }
    }

    void in_batches(once::inbox const& inbox) {
        constexpr std::size_t size = 20;
        for (auto begin = m_next.fetch_add(size); begin < m_deliveries.size();
             begin = m_next.fetch_add(size)) {
            std::vector<incoming> const batch{m_deliveries.begin() + static_cast<std::ptrdiff_t>(begin),
                                              m_deliveries.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                         begin + size, m_deliveries.size()))};
            std::vector<receipt> made;
            auto const reply = once::transact(m_db, [&](once::transaction& tx) {
                made = inbox.receive_many(tx, batch);
                for (std::size_t i = 0; i < batch.size(); ++i) {
                    if (made[i] == receipt::fresh) {
                        work_on(tx, batch[i]);
                    }
                }
            });
            if (!reply.committed()) {
                throw std::runtime_error{"a batch was not committed"};
            }
            std::ranges::for_each(made, [&](receipt one) { count(one); });
        }
    }

    std::atomic<int> fresh = 0;
    std::atomic<int> seen = 0;
    std::atomic<int> others = 0;

private:
    void count(receipt value) {
        ++(value == receipt::fresh ? fresh : value == receipt::seen ? seen : others);
    }

    once::database& m_db;
    std::vector<incoming> const& m_deliveries;
    std::atomic<std::size_t> m_next = 0;
};

void storm(bool batches) {
    effects_database const server;
    std::mt19937_64 random{seed()};
    auto const deliveries = deliveries_of(message_count, 3, random);
    once::database db{server.dsn()};
    once::inbox const inbox{"billing", {.wait = std::chrono::seconds{60}}};
    consumers work{db, deliveries};
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            try {
                batches ? work.in_batches(inbox) : work.one_by_one(inbox);
            } catch (std::exception const& e) {
                ++failures;
                std::fprintf(stderr, "consumer: %s\n", e.what());
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(failures == 0);
    CHECK(work.fresh == message_count);
    CHECK(work.seen == 2 * message_count);
    CHECK(work.others == 0);
    CHECK(server.effects() == message_count);
    CHECK(server.ask("select count(distinct what) from effect") == std::to_string(message_count));
    CHECK(server.ask("select count(*) from once.inbox") == std::to_string(message_count));
}

} // namespace

TEST_CASE("a storm of redeliveries over 8 consumers gives each effect once", "[faults][inbox]") {
    storm(false);
}

TEST_CASE("a storm of redeliveries in batches gives each effect once", "[faults][inbox]") {
    storm(true);
}

TEST_CASE("a consumer killed at any message has worked once after the redelivery", "[faults][inbox]") {
    effects_database const server;
    auto const command = [](std::string const& dsn, message_id const& id) {
        return std::vector<std::string>{ONCE_INBOX_CLIENT, dsn, id.to_string()};
    };
    // What one delivery sends and gets.
    std::vector<std::pair<wire_direction, int>> places;
    {
        wire_proxy proxy{server.upstream()};
        REQUIRE(child_process{command(server.through(proxy), message_id::random())}.wait().succeeded());
        REQUIRE(proxy.wait_closed(1));
        bool begun = false;
        for (auto const& e : proxy.trace(1)) {
            begun = begun || e.sql.starts_with("begin");
            if (begun && e.type != 'X') {
                places.emplace_back(e.direction, e.index);
            }
        }
    }
    int committed = 0;
    for (auto const& [direction, index] : places) {
        auto const id = message_id::random();
        INFO((direction == wire_direction::to_server ? "to the server " : "to the client ") << index);
        {
            wire_proxy proxy{server.upstream()};
            auto const what = direction == wire_direction::to_server ? act::cut_after() : act::forward();
            auto const death = proxy.add(
                at(1, direction, index, what).doing([](event const& e) { ::kill(e.client_pid, SIGKILL); }));
            auto const ending = child_process{command(server.through(proxy), id)}.wait();
            CHECK(death.wait_fired());
            CHECK(ending.killed());
        }
        auto const again = child_process{command(server.dsn(), id)}.wait();
        CHECK((again.output == "fresh" || again.output == "seen"));
        committed += again.output == "seen";
        CHECK(server.ask("select count(*) from effect where what = '" + id.to_string() + "'") == "1");
    }
    std::printf("consumers killed: %zu, of which %d had committed\n", places.size(), committed);
    CHECK(places.size() > 15);
    CHECK(committed > 0);
    CHECK(committed < static_cast<int>(places.size()));
}
