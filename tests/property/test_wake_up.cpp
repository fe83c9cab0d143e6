// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/database.hpp"
#include "support/seed.hpp"
#include "support/session.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <libpq-fe.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <poll.h>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

/// A session that LISTENs, with libpq, which says everything about notifications.
class listener {
public:
    explicit listener(std::string const& dsn) : m_link{PQconnectdb(dsn.c_str()), &PQfinish} {
        run("listen " + run("select once.wake_channel()"));
    }

    std::string run(std::string const& sql) {
        std::unique_ptr<PGresult, decltype(&PQclear)> const answer{PQexec(m_link.get(), sql.c_str()),
                                                                   &PQclear};
        auto const status = PQresultStatus(answer.get());
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            throw std::runtime_error{PQerrorMessage(m_link.get())};
        }
        return PQntuples(answer.get()) > 0 ? PQgetvalue(answer.get(), 0, 0) : "";
    }

    /// Takes what has come: how many, and what the last one says.
    int take(std::string* newest = nullptr) {
        gather();
        if (newest != nullptr && m_heard > 0) {
            *newest = m_newest;
        }
        return std::exchange(m_heard, 0);
    }

    /// Sleeps until something comes; false when nothing did for so long. What came with the answer to a statement is
    /// not at the socket any more, and counts all the same.
    bool sleep(std::chrono::milliseconds limit) {
        gather();
        pollfd socket{.fd = PQsocket(m_link.get()), .events = POLLIN, .revents = 0};
        return m_heard > 0 || ::poll(&socket, 1, static_cast<int>(limit.count())) > 0;
    }

private:
    void gather() {
        PQconsumeInput(m_link.get());
        while (std::unique_ptr<PGnotify, decltype(&PQfreemem)> const note{PQnotifies(m_link.get()),
                                                                          &PQfreemem}) {
            ++m_heard;
            m_newest = note->extra;
        }
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> m_link;
    int m_heard = 0;
    std::string m_newest;
};

/// Publishes a message: how many notifications of it come.
int heard_of_a_message(session& db, listener& ear) {
    db.run("select publish('t.x', 'k', '1')");
    ear.run("select 1");
    return ear.take();
}

/// Reads and acknowledges all there is; how many.
int read_all(session& db, std::string const& subscription) {
    int got = 0;
    while (true) {
        auto const some = next_batch(db, subscription, 100);
        if (some.size() > 0 || some.worth_saving) {
            acknowledge(db, subscription, some);
        }
        got += some.size();
        if (some.size() == 0) {
            return got;
        }
    }
}

struct reading {
    std::atomic<int> got{0};
    std::atomic<int> sleeps{0};
    std::atomic<int> missed{0}; ///< woke up by the clock, and there was something
};

/// The reader's side of the protocol. A wake-up that is lost costs it `patience`, and is counted.
void follow(std::string const& dsn, std::string const& subscription, std::stop_token const& stop,
            reading& mine, std::chrono::milliseconds patience) {
    session db{dsn};
    listener ear{dsn};
    while (!stop.stop_requested()) {
        if (auto const got = read_all(db, subscription); got > 0) {
            mine.got += got;
            continue;
        }
        auto const writers = ear.run("select writers from once.fall_asleep('30 seconds')");
        // What has come until now is from before, and what it told is seen by the look that follows.
        ear.take();
        if (auto const got = read_all(db, subscription); got > 0) {
            mine.got += got;
            continue;
        }
        // Those who were writing when we said that we sleep may not have heard it.
        while (ear.run("select count(*) from unnest(once.outbox_writers()) as w where w = any ('" + writers +
                       "')") != "0") {
            mine.got += read_all(db, subscription);
        }
        mine.got += read_all(db, subscription);
        ++mine.sleeps;
        auto const woken = ear.sleep(patience);
        std::string notification;
        if (ear.take(&notification) > 0) {
            ear.run("select once.wake_up('" + notification + "')");
        }
        if (auto const got = read_all(db, subscription); got > 0) {
            mine.got += got;
            // A message that came in this very moment is not a lost one.
            if (!woken && ear.take() == 0 && !ear.sleep(1s)) {
                ++mine.missed;
            }
        }
    }
}

} // namespace

TEST_CASE("no reader sleeps through a message, however writers and readers meet", "[outbox][wake]") {
    test_database const server;
    INFO("ONCE_SEED=" << seed());
    constexpr int readers = 3;
    constexpr int writers = 6;
    auto const patience = 4s;
    session db{server.dsn()};
    std::vector<std::unique_ptr<reading>> seen;
    std::vector<std::jthread> threads;
    for (int i = 0; i < readers; ++i) {
        auto const name = "r" + std::to_string(i);
        db.run("select subscribe('" + name + "', p_from => 'beginning')");
        auto& its = *seen.emplace_back(std::make_unique<reading>()); // the vector itself may move
        threads.emplace_back([&server, &its, name, patience](std::stop_token const& stop) {
            follow(server.dsn(), name, stop, its, patience);
        });
    }
    std::atomic<int> published{0};
    {
        std::vector<std::jthread> writing;
        auto const end = std::chrono::steady_clock::now() + (long_form() ? 120s : 3s);
        for (int i = 0; i < writers; ++i) {
            writing.emplace_back([&, i] {
                std::mt19937_64 random{seed() + static_cast<unsigned>(i)};
                session mine{server.dsn()};
                while (std::chrono::steady_clock::now() < end) {
                    // Pauses of the length of a poll, so that readers are caught in every step.
                    auto const pause = [&] {
                        return "select pg_sleep(" +
                               std::to_string(1e-4 * static_cast<double>(random() % 300)) + ");";
                    };
                    auto const commits = random() % 5 != 0;
                    mine.run("begin;" +
                             std::string{random() % 3 == 0
                                             ? "savepoint a; select publish('t.x', null, '0'); rollback to a;"
                                             : ""} +
                             (random() % 2 == 0 ? pause() : "") + "select publish('t.x', null, '1');" +
                             (random() % 2 == 0 ? pause() : "") + (commits ? "commit" : "rollback"));
                    published += commits ? 1 : 0;
                    mine.run(pause() + pause());
                }
            });
        }
    }
    for (auto const& each : seen) {
        CHECK(wait_until([&] { return each->got == published; }));
    }
    threads.clear();
    for (auto const& each : seen) {
        INFO("messages " << published << ", sleeps " << each->sleeps);
        CHECK(each->got == published);
        CHECK(each->sleeps > 3);
        CHECK(each->missed == 0);
    }
}

TEST_CASE("while nobody sleeps nobody notifies, and one notification is enough", "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener ear{server.dsn()};
    auto const publish = [&] { db.run("select publish('t.x', 'k', '1')"); };
    // A notification arrives at the latest with the answer to a later statement.
    auto const heard = [&](std::string* notification = nullptr) {
        ear.run("select 1");
        return ear.take(notification);
    };
    for (int i = 0; i < 20; ++i) {
        publish();
    }
    CHECK(heard() == 0);

    ear.run("select once.fall_asleep('1 second')");
    publish();
    std::string notification;
    CHECK(heard(&notification) == 1);
    ear.run("select once.wake_up('" + notification + "')");
    publish();
    CHECK(heard() == 0);

    // A transaction that is rolled back wakes nobody.
    ear.run("select once.fall_asleep('1 second')");
    db.run("begin; select publish('t.x', 'k', '1'); rollback");
    CHECK(heard() == 0);
    publish();
    CHECK(heard() == 1);
}

TEST_CASE("who was writing when a reader fell asleep is named to it, prepared or not", "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener ear{server.dsn()};
    auto const left = [&](std::string const& writers) {
        return ear.run("select count(*) from unnest(once.outbox_writers()) as w where w = any ('" + writers +
                       "')");
    };
    CHECK(ear.run("select writers from once.fall_asleep('1 second')") == "{}");
    ear.run("select setval('once.outbox_woken_seq', (select last_value from once.outbox_asleep_seq))");
    db.run("begin; select publish('t.x', 'k', '1')"); // nobody sleeps, so nobody will be notified
    session scheduler{server.dsn()};
    scheduler.run("begin; select schedule(now(), 't.x', 'k', '1')");
    session prepared{server.dsn()};
    prepared.run("begin; select publish('t.x', 'k', '1'); prepare transaction '" + server.name() + "'");
    auto const writers = ear.run("select writers from once.fall_asleep('1 second')");
    CHECK(left(writers) == "3");
    db.run("commit");
    scheduler.run("rollback");
    prepared.run("commit prepared '" + server.name() + "'");
    CHECK(ear.take() == 0);
    CHECK(left(writers) == "0");
}

TEST_CASE("a notification that is read late does not end the sleep of others", "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener late{server.dsn()};
    listener other{server.dsn()};
    late.run("select once.fall_asleep('1 second')");
    db.run("select publish('t.x', 'k', '1')");
    other.run("select 1");
    CHECK(other.take() == 1); // awake: it ignores this
    other.run("select once.fall_asleep('1 second')");
    late.run("select once.fall_asleep('1 second')");
    std::string notification;
    CHECK(late.take(&notification) == 1); // the old one
    late.run("select once.wake_up('" + notification + "')");
    db.run("select publish('t.x', 'k', '1')");
    other.run("select 1");
    CHECK(other.take() == 1);
}

TEST_CASE("nobody ends the sleep of another by a number that no notification had", "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener sleeper{server.dsn()};
    sleeper.run("select once.fall_asleep('30 seconds')");
    for (auto const* const guess :
         {"n::text", "n || ':'", "n || ':00000000000000000000'", "n || ':' || repeat('x', 20)",
          "n || ':' || left(md5(n::text), 20)", "'9999999999999999999:00000000000000000000'", "null"}) {
        INFO(guess);
        db.run(std::string{"select wake_up("} + guess +
               ") from (select sleep_number from fall_asleep('0')) as f (n)");
        CHECK(db.ask("select reader_sleeps()") == "t");
    }
    db.run("select publish('t.x', 'k', '1')");
    std::string notification;
    sleeper.run("select 1");
    REQUIRE(sleeper.take(&notification) == 1);
    // Nor by that of an earlier one.
    db.run("select fall_asleep('0')");
    db.run("select wake_up('" + notification + "')");
    CHECK(db.ask("select reader_sleeps()") == "t");
}

TEST_CASE(
    "who falls asleep again and again, and never sleeps, costs a notification each while a reader listens",
    "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener reader{server.dsn()};
    int heard = 0;
    for (int i = 0; i < 10; ++i) {
        db.run("select fall_asleep('0')");
        for (int n = 0; n < 20; ++n) {
            db.run("select publish('t.x', 'k', '1')");
            std::string notification;
            reader.run("select 1");
            if (auto const got = reader.take(&notification); got > 0) {
                heard += got;
                reader.run("select once.wake_up('" + notification + "')");
            }
        }
    }
    CHECK(heard == 10);
    // And where nobody listens, it ends after a minute.
    CHECK(db.refused("select fall_asleep('61 seconds')") == "22023");
}

TEST_CASE("a reader that died asleep is not woken for ever", "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener{server.dsn()}.run("select once.fall_asleep('1 second')");
    listener ear{server.dsn()};
    auto const heard = [&] { return heard_of_a_message(db, ear); };
    CHECK(heard() == 1);
    CHECK(heard() == 1);
    // Its time is up: a minute or so after it fell asleep.
    auto const until = std::stol(db.ask("select last_value - (extract(epoch from clock_timestamp()) * "
                                        "1000)::bigint from outbox_asleep_until_seq"));
    CHECK(until > 60'000); // the same for all sleeps, so that short ones cannot shorten long ones
    CHECK(until <= 70'000);
    db.run("select setval('outbox_asleep_until_seq', (extract(epoch from clock_timestamp()) * 1000)::bigint "
           "- 1)");
    CHECK(heard() == 0);
}

TEST_CASE("sleepers with short sleeps do not shorten those of others, nor do numbers from nowhere",
          "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener ear{server.dsn()};
    auto const heard = [&] { return heard_of_a_message(db, ear); };
    ear.run("select once.fall_asleep('30 seconds')");
    auto const before = db.ask("select last_value from outbox_asleep_until_seq");
    ear.run("select once.fall_asleep('0 seconds')");
    CHECK(std::stol(db.ask("select last_value from outbox_asleep_until_seq")) >= std::stol(before));
    // Was never given out.
    ear.run("select once.wake_up('1000000:" + db.ask("select wake_proof(1000000)") + "')");
    CHECK(heard() == 1);
    // After a restore the one sequence can be ahead of the other.
    db.run("select setval('outbox_woken_seq', 40)");
    CHECK(heard() == 0);
    ear.run("select once.fall_asleep('30 seconds')");
    CHECK(heard() == 1);
}

TEST_CASE("a notification queue that fills up is left alone, since it would fail the writer's commit",
          "[outbox][wake]") {
    test_database const server;
    session db{server.dsn()};
    listener ear{server.dsn()};
    auto const heard = [&] { return heard_of_a_message(db, ear); };
    ear.run("select once.fall_asleep('30 seconds')");
    CHECK(heard() == 1);
    // The real queue holds 8 GB; so the function itself asks another one.
    db.run(
        "create schema proof; create table proof.usage (part float); insert into proof.usage values (0.6);"
        "create function proof.queue_usage() returns float language sql as 'select part from proof.usage'");
    db.run("do $$ begin execute replace(pg_get_functiondef('once.notify_readers()'::regprocedure), "
           "'pg_notification_queue_usage()', 'proof.queue_usage()'); end $$");
    CHECK(heard() == 0);
    db.run("update proof.usage set part = 0.1");
    CHECK(heard() == 1);
}
