// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "variant.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/prepared_statement>
#include <pqxx/result>
#include <pqxx/row>
#include <pqxx/transaction>

#include <stdexcept>

/** @file
 * The same jobs with libpqxx alone, as a careful developer writes them: prepared statements, one after the other.
 */
namespace once::bench {

namespace {

pqxx::result exec(pqxx::transaction_base& tx, char const* name, pqxx::params const& values) {
    return tx.exec(pqxx::prepped{name}, values);
}

class select_one_worker final : public worker {
public:
    explicit select_one_worker(std::string const& dsn) : m_connection{dsn} {
        m_connection.prepare("one", "select 1");
    }
    void run(key_source&) override {
        pqxx::nontransaction session{m_connection};
        static_cast<void>(exec(session, "one", {})[0][0].as<int>());
    }

private:
    pqxx::connection m_connection;
};

class bare_worker final : public worker {
public:
    explicit bare_worker(std::string const& dsn) : m_connection{dsn} {
        m_connection.prepare("order", std::string{insert_order});
    }
    void run(key_source&) override {
        pqxx::work tx{m_connection};
        exec(tx, "order", pqxx::params{customer, cents});
        tx.commit();
    }

private:
    pqxx::connection m_connection;
};

class hand_written_worker final : public worker {
public:
    explicit hand_written_worker(std::string const& dsn) : m_connection{dsn} {
        m_connection.prepare("key",
                             "insert into bench.idempotency_key (scope, key, request_hash) "
                             "values ($1, $2, sha256($3::bytea)) on conflict do nothing returning created");
        m_connection.prepare("order", std::string{insert_order});
        m_connection.prepare("outbox", std::string{insert_outbox});
        m_connection.prepare("response", "update bench.idempotency_key set status = $3::integer, "
                                         "response = $4::json where scope = $1 and key = $2");
    }
    void run(key_source& keys) override {
        auto const key = keys.next();
        pqxx::work tx{m_connection};
        if (exec(tx, "key", pqxx::params{scope, key, pqxx::binary_cast(request_text())}).size() != 1) {
            throw std::runtime_error{"hand-written: a new key was there already"};
        }
        exec(tx, "order", pqxx::params{customer, cents});
        exec(tx, "outbox", pqxx::params{topic, key, payload()});
        if (exec(tx, "response", pqxx::params{scope, key, 201, response_text()}).affected_rows() != 1) {
            throw std::runtime_error{"hand-written: the response was not stored"};
        }
        tx.commit();
    }

private:
    pqxx::connection m_connection;
};

class primary_key_worker final : public worker {
public:
    explicit primary_key_worker(std::string const& dsn) : m_connection{dsn} {
        m_connection.prepare(
            "find", "select completed_at, fingerprint, expires_at, response_status, response_headers, "
                    "response_content_type, response_json from once.idempotency_record "
                    "where service = $1 and scope = $2 and key = $3");
    }
    void run(key_source&) override {
        pqxx::nontransaction session{m_connection};
        auto const found = exec(session, "find", pqxx::params{"postgres", scope, key_to_find(m_next++)});
        if (found.size() != 1 || found[0][6].view() != response_text()) {
            throw std::runtime_error{"pk-select: the record is not there"};
        }
    }

private:
    pqxx::connection m_connection;
    std::uint64_t m_next = 0;
};

} // namespace

std::unique_ptr<worker> select_one(std::string const& dsn) {
    return std::make_unique<select_one_worker>(dsn);
}

std::unique_ptr<worker> bare(std::string const& dsn) {
    return std::make_unique<bare_worker>(dsn);
}

std::unique_ptr<worker> hand_written(std::string const& dsn) {
    return std::make_unique<hand_written_worker>(dsn);
}

std::unique_ptr<worker> primary_key_select(std::string const& dsn) {
    return std::make_unique<primary_key_worker>(dsn);
}

} // namespace once::bench
