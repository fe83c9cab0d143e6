// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "program.hpp"
#include "variant.hpp"

#include <pqxx/result>
#include <pqxx/row>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

/** @file
 * Calls of the library for tests/bench/instructions, which counts what they cost the server. One connection does a call
 * until nothing is new to it, and marks where counting begins and ends.
 */
namespace once::bench {

namespace {

constexpr char const* usage_of_calls =
    "usage: once_bench_calls CALL WARM COUNTED MARK\n"
    "ONCE_TEST_DSN names the server; MARK is a statement whose second column is printed.\n";

// Under callgrind a server takes its time.
constexpr std::chrono::minutes patience{10};

call_options patient() {
    return {.deadline = patience, .reply_timeout = patience};
}

request request_for(std::string key) {
    return {.scope = std::string{scope},
            .key = std::move(key),
            .fingerprint = fingerprint{"POST", "/orders", request_text()}};
}

statement outbox_row(std::string const& key) {
    return {std::string{insert_outbox}, parameters{topic, key, payload()}};
}

statement order_returning() {
    return {std::string{insert_order_returning}, parameters{customer, cents}};
}

void require(bool as_wanted, std::string const& what) {
    if (!as_wanted) {
        throw std::runtime_error{what};
    }
}

// A connection of its own with one of the calls below.
class call {
public:
    explicit call(std::string const& dsn)
        : m_database{dsn, {.max_connections = 1, .connect_timeout = patience}} {}
    virtual ~call() = default;
    call(call const&) = delete;
    call(call&&) = delete;
    call& operator=(call const&) = delete;
    call& operator=(call&&) = delete;

    virtual void run(key_source& keys) = 0;

    // The answer to a statement in a transaction of its own.
    std::string ask(std::string const& sql, int column) {
        std::string answer;
        static_cast<void>(
            transact(m_database, [&](transaction& tx) { answer = tx.exec(sql)[0][column].as<std::string>(); },
                     {.deadline = patience, .reply_timeout = patience}));
        return answer;
    }

protected:
    response order(transaction& tx) {
        if (!m_prepared) {
            tx.conn().prepare("order", std::string{insert_order});
            m_prepared = true;
        }
        tx.exec(pqxx::prepped{"order"}, pqxx::params{customer, cents});
        return {.status = 201, .body = body::json_text(response_text())};
    }

    database& db() noexcept { return m_database; }

private:
    database m_database;
    bool m_prepared = false;
};

enum class staged { nothing, row, message };

class with_callback_call final : public call {
public:
    with_callback_call(std::string const& dsn, staged what) : call{dsn}, m_staged{what} {}
    void run(key_source& keys) override {
        auto const request = request_for(keys.next());
        auto const work = [&](transaction& tx) {
            if (m_staged == staged::row) {
                tx.at_commit(outbox_row(request.key));
            } else if (m_staged == staged::message) {
                tx.publish(
                    {.topic = std::string{topic}, .key = request.key, .payload = body::json_text(payload())});
            }
            return order(tx);
        };
        require(execute(db(), request, work, patient()).done(), "execute: a new key was not done");
    }

private:
    staged m_staged;
};

class one_trip_call final : public call {
public:
    one_trip_call(std::string const& dsn, bool outbox) : call{dsn}, m_outbox{outbox} {}
    void run(key_source& keys) override {
        auto const request = request_for(keys.next());
        std::vector<statement> work;
        if (m_outbox) {
            work.push_back(outbox_row(request.key));
        }
        work.push_back(order_returning());
        require(execute(db(), request, work, 201, patient()).done(), "one-trip: a new key was not done");
    }

private:
    bool m_outbox;
};

class redeem_call final : public call {
public:
    redeem_call(std::string const& dsn, std::size_t tokens) : call{dsn}, m_wanted{tokens} {}
    void run(key_source&) override {
        if (m_wanted > 0) { // not before something else has connected: it takes no options to be patient
            m_tokens = issue_tokens(db(), {.principal = "alice", .purpose = "order"}, m_wanted);
            m_wanted = 0;
        }
        require(!m_tokens.empty(), "redeem: no token is left");
        redemption const one{.token = m_tokens.back(),
                             .principal = "alice",
                             .purpose = "order",
                             .fingerprint = fingerprint{request_text()}};
        m_tokens.pop_back();
        auto const reply = execute(db(), one, [&](transaction& tx) { return order(tx); }, patient());
        require(reply.done(), "redeem: a new token was not done");
    }

private:
    std::size_t m_wanted;
    std::vector<std::string> m_tokens;
};

// Every key comes again after the first few.
class repeated_call final : public call {
public:
    repeated_call(std::string const& dsn, bool one_trip) : call{dsn}, m_one_trip{one_trip} {}
    void run(key_source&) override {
        bool const first = m_number < different;
        auto const request = request_for(key_to_find(m_number++ % different));
        auto const work = [&](transaction& tx) { return order(tx); };
        auto const reply = m_one_trip ? execute(db(), request, {order_returning()}, 201, patient())
                                      : execute(db(), request, work, patient());
        require(first ? reply.done() : reply.replayed(), "replay: not the outcome that was to come");
    }

private:
    static constexpr std::uint64_t different = 5;
    bool m_one_trip;
    std::uint64_t m_number = 0;
};

std::unique_ptr<call> call_named(std::string_view name, std::string const& dsn, std::size_t times) {
    if (name == "execute") {
        return std::make_unique<with_callback_call>(dsn, staged::nothing);
    }
    if (name == "execute-outbox") {
        return std::make_unique<with_callback_call>(dsn, staged::row);
    }
    if (name == "execute-publish") {
        return std::make_unique<with_callback_call>(dsn, staged::message);
    }
    if (name == "one-trip" || name == "one-trip-outbox") {
        return std::make_unique<one_trip_call>(dsn, name == "one-trip-outbox");
    }
    if (name == "replay" || name == "one-trip-replay") {
        return std::make_unique<repeated_call>(dsn, name == "one-trip-replay");
    }
    require(name == "redeem", "there is no call " + std::string{name});
    return std::make_unique<redeem_call>(dsn, times);
}

int run(std::string_view name, int warm, int counted, std::string const& mark_sql) {
    auto const tokens = static_cast<std::size_t>(warm + 2 * counted);
    auto const one = call_named(name, std::getenv("ONCE_TEST_DSN"), tokens);
    auto const mark = [&] { std::printf("%s\n", one->ask(mark_sql, 1).c_str()); };
    key_source keys{4711};
    auto const repeat = [&](int times) {
        for (int i = 0; i < times; ++i) {
            one->run(keys);
        }
    };
    std::printf("%s\n", one->ask("select pg_backend_pid()", 0).c_str());
    static_cast<void>(one->ask(mark_sql, 1));
    repeat(warm);
    mark();
    mark();
    for (int round = 0; round < 2; ++round) {
        repeat(counted);
        mark();
    }
    return EXIT_SUCCESS;
}

} // namespace

} // namespace once::bench

int main(int count, char** words) {
    using namespace once::bench;
    return run_program("once_bench_calls", [&] {
        if (count != 5) {
            std::fputs(usage_of_calls, stderr);
            return EXIT_FAILURE;
        }
        return has_server("tests/bench/run --instructions")
                   ? run(words[1], std::stoi(words[2]), std::stoi(words[3]), words[4])
                   : skipped;
    });
}
