// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "variant.hpp"

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/prepared_statement>

#include <stdexcept>

namespace once::bench {

namespace {

// One connection for each worker, so that a connection means the same in all variants.
database_options one_connection() {
    return {.max_connections = 1};
}

request request_for(std::string key, bool with_fingerprint = true) {
    return {.scope = std::string{scope},
            .key = std::move(key),
            .fingerprint =
                with_fingerprint ? fingerprint{"POST", "/orders", request_text()} : no_fingerprint};
}

statement order_statement(std::string_view sql) {
    return {std::string{sql}, parameters{customer, cents}};
}

statement outbox_statement(std::string const& key) {
    return {std::string{insert_outbox}, parameters{topic, key, payload()}};
}

class callback_worker final : public worker {
public:
    callback_worker(std::string const& dsn, business how, bool outbox, bool with_fingerprint)
        : m_database{dsn, one_connection()}, m_how{how}, m_outbox{outbox}, m_fingerprint{with_fingerprint} {}

    void run(key_source& keys) override {
        auto const request = request_for(keys.next(), m_fingerprint);
        auto const reply = execute(m_database, request, [&](transaction& tx) {
            insert(tx);
            if (m_outbox) {
                tx.at_commit(outbox_statement(request.key));
            }
            return response{.status = 201, .body = body::json_text(response_text())};
        });
        if (!reply.done() || !reply.committed()) {
            throw std::runtime_error{"execute: a new key was answered " +
                                     std::string{to_string(reply.outcome())}};
        }
    }

private:
    void insert(transaction& tx) {
        if (m_how == business::prepared) {
            if (!m_prepared) { // once per connection, and there is only one
                tx.conn().prepare("order", std::string{insert_order});
                m_prepared = true;
            }
            tx.exec(pqxx::prepped{"order"}, pqxx::params{customer, cents});
        } else if (m_how == business::plain_sql) {
            tx.exec(insert_order, pqxx::params{customer, cents});
        }
    }

    database m_database;
    business m_how;
    bool m_outbox;
    bool m_fingerprint;
    bool m_prepared = false;
};

class one_trip_worker final : public worker {
public:
    one_trip_worker(std::string const& dsn, bool outbox)
        : m_database{dsn, one_connection()}, m_outbox{outbox} {}

    void run(key_source& keys) override {
        auto const request = request_for(keys.next());
        std::vector<statement> work;
        if (m_outbox) {
            work.push_back(outbox_statement(request.key));
        }
        work.push_back(order_statement(insert_order_returning));
        auto const reply = execute(m_database, request, work, 201);
        if (!reply.done() || reply.response().body.empty()) {
            throw std::runtime_error{"one-trip: a new key was answered " +
                                     std::string{to_string(reply.outcome())}};
        }
    }

private:
    database m_database;
    bool m_outbox;
};

class replay_worker final : public worker {
public:
    explicit replay_worker(std::string const& dsn) : m_database{dsn, one_connection()} {}

    void run(key_source&) override {
        auto const request = request_for(key_to_find(m_next++));
        auto const reply = execute(m_database, request, [](transaction&) -> response {
            throw std::runtime_error{"replay: the callback ran for a key that is there"};
        });
        if (!reply.replayed() || reply.response().status != 201 ||
            reply.response().body.data() != response_text()) {
            throw std::runtime_error{"replay: not the stored response"};
        }
    }

private:
    database m_database;
    std::uint64_t m_next = 0;
};

} // namespace

std::unique_ptr<worker> with_callback(std::string const& dsn, business how, bool outbox,
                                      bool with_fingerprint) {
    return std::make_unique<callback_worker>(dsn, how, outbox, with_fingerprint);
}

std::unique_ptr<worker> in_one_trip(std::string const& dsn, bool outbox) {
    return std::make_unique<one_trip_worker>(dsn, outbox);
}

std::unique_ptr<worker> replay(std::string const& dsn) {
    return std::make_unique<replay_worker>(dsn);
}

void store_records_to_find(std::string const& dsn) {
    database db{dsn, one_connection()};
    for (std::uint64_t i = 0; i < records_to_find; ++i) {
        auto const reply = execute(db, request_for(key_to_find(i)), [](transaction&) {
            return response{.status = 201, .body = body::json_text(response_text())};
        });
        if (!reply.done()) {
            throw std::runtime_error{"the records to find cannot be stored"};
        }
    }
}

} // namespace once::bench
