// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// Why a lock does not make an order happen once: the two classic failures, with a real Redis lock (SET NX PX), and the
// same two with the key of once::execute.
//
//     ./08_lock_is_not_enough "dbname=shop"
//
// Starts a redis-server of its own on a Unix socket. Without redis-server it plays the second half only, says so, and
// exits with status 4.
#include <once/once.hpp>

#include "own_schema.hpp"
#include "redis_server.hpp"

#include <pqxx/pqxx>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <tuple>

namespace {

using namespace std::chrono_literals;

// [region: lock]
bool lock(redis_connection& redis, char const* milliseconds) {
    return redis.command({"SET", "lock:alice", "me", "NX", "PX", milliseconds}) == "OK";
}

void unlock(redis_connection& redis) {
    redis.command({"DEL", "lock:alice"});
}
// [endregion]

void insert_order(pqxx::transaction_base& tx) {
    tx.exec("insert into locked_order (customer) values ('alice')");
}

int orders(pqxx::connection& connection) {
    pqxx::work tx{connection};
    auto const count = tx.query_value<int>("select count(*) from locked_order");
    tx.exec("truncate locked_order");
    tx.commit();
    return count;
}

// (a) The second click comes when the first one is done and has given its lock back.
int second_click_with_lock(redis_connection& redis, pqxx::connection& connection) {
    for (int click = 0; click < 2; ++click) {
        if (lock(redis, "10000")) {
            pqxx::work tx{connection};
            insert_order(tx);
            tx.commit();
            unlock(redis);
        }
    }
    return orders(connection);
}

// (b) The client hears nothing, the lock runs out, the client asks again while the first request still runs.
int lost_reply_with_lock(redis_connection& redis, pqxx::connection& connection, pqxx::connection& another) {
    bool const first_locked = lock(redis, "50");
    pqxx::work first{connection};
    insert_order(first); // and here it hangs: a slow disk, a paused process, a lost reply
    while (redis.command({"EXISTS", "lock:alice"}) == "1") {
        std::this_thread::sleep_for(5ms);
    }
    if (first_locked && lock(redis, "10000")) { // the retry
        pqxx::work second{another};
        insert_order(second);
        second.commit();
        unlock(redis);
    }
    first.commit(); // the first one wakes up and knows of nothing
    return orders(connection);
}

once::reply order_once(once::database& db, std::string const& key, once::call_options const& options = {}) {
    return once::execute(
        db, {.scope = "POST /orders alice", .key = key, .fingerprint = once::no_fingerprint},
        [](once::transaction& tx) { insert_order(tx); }, options);
}

int second_click_with_key(once::database& db, pqxx::connection& connection) {
    order_once(db, "click");
    order_once(db, "click"); // replayed
    return orders(connection);
}

int lost_reply_with_key(once::database& db, pqxx::connection& connection) {
    std::ignore = once::execute(
        db, {.scope = "POST /orders alice", .key = "lost", .fingerprint = once::no_fingerprint},
        [&](once::transaction& tx) {
            insert_order(tx);
            order_once(db, "lost", {.wait = 0ms}); // the retry, while the first one runs: in_progress
        });
    order_once(db, "lost"); // and once more: replayed
    return orders(connection);
}

} // namespace

int main(int argc, char** argv) try {
    auto const conninfo = in_own_schema(argc > 1 ? argv[1] : "", "08");
    pqxx::connection connection{conninfo};
    pqxx::connection another{conninfo};
    {
        pqxx::work tx{connection};
        tx.exec("create table if not exists locked_order (customer text)");
        tx.exec("truncate locked_order");
        tx.commit();
    }
    once::database db{conninfo};
    auto const server = redis_server::start();
    bool fine = true;
    auto const report = [&](char const* what, int made, int expected) {
        std::cout << what << ": " << made << " order(s)\n";
        fine = fine && made == expected;
    };
    if (server) {
        redis_connection redis{server->socket()};
        report("second click,         Redis lock", second_click_with_lock(redis, connection), 2);
        report("lost reply and retry, Redis lock", lost_reply_with_lock(redis, connection, another), 2);
    } else {
        std::cout << "LEFT OUT: redis-server is not installed, so its lock is not shown\n";
    }
    report("second click,         once      ", second_click_with_key(db, connection), 1);
    report("lost reply and retry, once      ", lost_reply_with_key(db, connection), 1);
    constexpr int skipped = 4;
    return !fine ? 1 : server ? 0 : skipped;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
