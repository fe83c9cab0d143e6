// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/ledger.hpp"
#include "faults/workload.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;

namespace {

constexpr int callers = 1'000;

struct answers {
    int started = 0;
    int replayed = 0;
    int in_progress = 0;
    int other = 0;
    int errors = 0;
    int bodies = 0;
    int wrong_bodies = 0;
    std::string body{};
    std::string last_error{};
};

class counter {
public:
    void add(once::reply const& reply) {
        std::lock_guard const lock{m_mutex};
        switch (reply.outcome()) {
        case once::outcome::done:
            ++m_answers.started;
            break;
        case once::outcome::replayed:
            ++m_answers.replayed;
            break;
        case once::outcome::in_progress:
            ++m_answers.in_progress;
            break;
        default:
            ++m_answers.other;
        }
        if (reply.has_response()) {
            if (m_answers.bodies++ == 0) {
                m_answers.body = reply.response().body.data();
            }
            m_answers.wrong_bodies += reply.response().body.data() != m_answers.body;
        }
    }
    void add_error(std::string const& text) {
        std::lock_guard const lock{m_mutex};
        ++m_answers.errors;
        m_answers.last_error = text;
    }
    [[nodiscard]] answers get() const { return m_answers; }

private:
    std::mutex m_mutex;
    answers m_answers;
};

/// Runs `call` in `count` threads that begin together.
template <class Call>
void all_at_once(int count, counter& sum, Call const& call) {
    std::promise<void> go;
    auto const gate = go.get_future().share();
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&] {
            gate.wait();
            try {
                sum.add(call());
            } catch (std::exception const& e) {
                sum.add_error(e.what());
            }
        });
    }
    go.set_value();
    for (auto& thread : threads) {
        thread.join();
    }
}

void check_one(ledger& book, answers const& got) {
    auto const entry = book.entry("key");
    CHECK(entry.effects == 1);
    CHECK(entry.balance == 1);
    CHECK(got.wrong_bodies == 0);
    CHECK(got.body == entry.stored);
    CHECK(got.last_error == "");
    CHECK(got.errors == 0);
    CHECK(got.other == 0);
}

} // namespace

TEST_CASE("of a thousand concurrent calls with one key one does the work and all get its answer",
          "[faults][concurrency]") {
    for (auto const how : {form::callback, form::statements}) {
        INFO(to_string(how));
        workload_database const where;
        ledger book{where.dsn()};
        book.open_account("key");
        once::database db{where.dsn(), {.max_connections = 50}};
        counter sum;
        all_at_once(callers, sum,
                    [&] { return run_workload(db, how, "key", {.wait = 30s, .deadline = 60s}); });
        auto const got = sum.get();
        CHECK(got.started == 1);
        CHECK(got.replayed == callers - 1);
        CHECK(got.bodies == callers);
        check_one(book, got);
    }
}

TEST_CASE("with no wait, 999 callers hear in_progress while the first is at work", "[faults][concurrency]") {
    workload_database const where;
    ledger book{where.dsn()};
    book.open_account("key");
    once::database db{where.dsn(), {.max_connections = 50}};
    once::call_options const fail_fast{.wait = 0ms, .deadline = 60s};

    std::promise<void> at_work;
    std::promise<void> others_done;
    counter sum;
    std::thread first{[&] {
        try {
            sum.add(once::execute(
                db, workload_request("key"),
                [&](once::transaction& tx) {
                    tx.exec(insert_effect, pqxx::params{"key"});
                    tx.exec(update_account, pqxx::params{"key"});
                    at_work.set_value();
                    others_done.get_future().wait();
                    return nlohmann::json{{"done", true}};
                },
                fail_fast));
        } catch (std::exception const& e) {
            sum.add_error(e.what());
        }
    }};
    at_work.get_future().wait();
    all_at_once(callers - 1, sum, [&] { return run_workload(db, form::callback, "key", fail_fast); });
    auto const during = sum.get();
    others_done.set_value();
    first.join();

    CHECK(during.in_progress == callers - 1);
    auto const got = sum.get();
    CHECK(got.started == 1);
    CHECK(got.in_progress == callers - 1);
    check_one(book, got);

    auto const later = run_workload(db, form::statements, "key", fail_fast);
    CHECK(later.replayed());
    CHECK(later.response().body.data() == got.body);
}
