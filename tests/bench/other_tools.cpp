// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "variant.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/params>
#include <pqxx/prepared_statement>

#include <array>
#include <stdexcept>

/** @file
 * The tools besides `execute`, each around the same insert of an order.
 */
namespace once::bench {

namespace {

database_options one_connection() {
    return {.max_connections = 1};
}

message_id id_from(key_source& keys) {
    return message_id::parse(keys.next());
}

void insert_orders(transaction& tx, std::size_t count) {
    tx.exec("insert into bench.orders (customer, cents) select $1, $2::bigint from generate_series(1, "
            "$3::integer)",
            pqxx::params{customer, cents, static_cast<int>(count)});
}

class inbox_worker final : public worker {
public:
    inbox_worker(std::string const& dsn, std::size_t batch)
        : m_database{dsn, one_connection()}, m_batch{batch} {}

    void run(key_source& keys) override {
        std::vector<incoming> messages;
        for (std::size_t i = 0; i < m_batch; ++i) {
            messages.push_back({.id = id_from(keys), .fingerprint = fingerprint{payload()}});
        }
        bool fresh = true;
        auto const reply = transact(m_database, [&](transaction& tx) {
            if (m_batch == 1) {
                fresh = m_inbox.receive(tx, messages.front()) == receipt::fresh;
            } else {
                for (auto const one : m_inbox.receive_many(tx, messages)) {
                    fresh = fresh && one == receipt::fresh;
                }
            }
            insert_orders(tx, m_batch);
        });
        if (!fresh || !reply.committed()) {
            throw std::runtime_error{"inbox: a new message was not fresh"};
        }
    }

private:
    database m_database;
    inbox m_inbox{"bench"};
    std::size_t m_batch;
};

class window_worker final : public worker {
public:
    explicit window_worker(std::string const& dsn) : m_database{dsn, one_connection()} {}

    void run(key_source& keys) override {
        auto const key = keys.next();
        request const asked{.scope = std::string{scope}, .key = key, .fingerprint = fingerprint{key}};
        auto const reply =
            execute(m_database, asked, per_window(asked, std::chrono::seconds{10}, [](transaction& tx) {
                        insert_orders(tx, 1);
                        return response{.status = 201, .body = body::json_text(response_text())};
                    }));
        if (!reply.done() || reply.response().status != 201) {
            throw std::runtime_error{"window: a new request was not started"};
        }
    }

private:
    database m_database;
};

class operation_bench_worker final : public worker {
public:
    explicit operation_bench_worker(std::string const& dsn) : m_database{dsn, one_connection()} {}

    void run(key_source& keys) override {
        request const asked{
            .scope = std::string{scope}, .key = keys.next(), .fingerprint = fingerprint{request_text()}};
        if (m_book.run(m_database, asked).outcome != operation_outcome::done) {
            throw std::runtime_error{"operation: a new request was not finished"};
        }
    }

private:
    database m_database;
    operation m_book{
        "book",
        {in_database("reserve", [](transaction& tx, running_operation&) { insert_orders(tx, 1); }),
         idempotent_remote("charge", [](running_operation& op) { op.data()["charge"] = op.call_key(); }),
         in_database("confirm", [](transaction&, running_operation&) {
             return response{.status = 201, .body = body::json_text(response_text())};
         })}};
};

} // namespace

std::unique_ptr<worker> through_inbox(std::string const& dsn, std::size_t batch) {
    return std::make_unique<inbox_worker>(dsn, batch);
}

std::unique_ptr<worker> through_window(std::string const& dsn) {
    return std::make_unique<window_worker>(dsn);
}

std::unique_ptr<worker> through_operation(std::string const& dsn) {
    return std::make_unique<operation_bench_worker>(dsn);
}

} // namespace once::bench
