// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "variant.hpp"

#include <libpq-fe.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

/** @file
 * The floor: the rows that once writes, into its own table, with its round trips, by prepared statements of libpq and
 * without any function in the server. Nothing is checked but that it was done: no service, no limits, no outcome, no
 * answer. What `execute` takes beyond this is the price of the library; what this takes beyond `bare`, that of the
 * rows.
 */
namespace once::bench {

namespace {

class plain_worker final : public worker {
public:
    plain_worker(std::string const& dsn, bool one_trip)
        : m_connection{PQconnectdb(dsn.c_str()), &PQfinish}, m_one_trip{one_trip} {
        if (PQstatus(m_connection.get()) != CONNECTION_OK) {
            fail();
        }
        prepare("begin", "begin");
        prepare(
            "claim",
            "insert into once.idempotency_record (service, scope, key, claimed_at, expires_at, fingerprint) "
            "values (session_user, $1, $2, now(), now() + interval '1 day', sha256($3::text::bytea)) "
            "on conflict do nothing");
        prepare("order", insert_order);
        prepare("response", "update once.idempotency_record set completed_at = now(), response_status = 201, "
                            "response_content_type = 'application/json', response_json = $3::json "
                            "where service = session_user and scope = $1 and key = $2");
        prepare("commit", "commit");
        if (PQenterPipelineMode(m_connection.get()) != 1) {
            fail();
        }
    }

    void run(key_source& keys) override {
        auto const key = keys.next();
        std::string const where{scope};
        std::string const buyer{customer};
        std::string const amount = std::to_string(cents);
        send("begin", {});
        send("claim", {where.c_str(), key.c_str(), request_text().c_str()});
        end_of_trip();
        send("order", {buyer.c_str(), amount.c_str()});
        end_of_trip();
        send("response", {where.c_str(), key.c_str(), response_text().c_str()});
        send("commit", {});
        take_answers();
    }

private:
    using values = std::array<char const*, 3>;

    [[noreturn]] void fail() const {
        throw std::runtime_error{"plain: " + std::string{PQerrorMessage(m_connection.get())}};
    }

    void prepare(char const* name, std::string_view sql) {
        pg_answer const answer{PQprepare(m_connection.get(), name, std::string{sql}.c_str(), 0, nullptr),
                               &PQclear};
        if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) {
            fail();
        }
    }

    void send(char const* name, values const& given) {
        int count = 0;
        while (count < 3 && given[static_cast<std::size_t>(count)] != nullptr) {
            ++count;
        }
        if (PQsendQueryPrepared(m_connection.get(), name, count, given.data(), nullptr, nullptr, 0) != 1) {
            fail();
        }
        ++m_sent;
    }

    void end_of_trip() {
        if (!m_one_trip) {
            take_answers();
        }
    }

    void take_answers() {
        if (PQpipelineSync(m_connection.get()) != 1) {
            fail();
        }
        for (; m_sent > 0; --m_sent) {
            expect(PGRES_COMMAND_OK);
            static_cast<void>(next()); // the end of that statement
        }
        expect(PGRES_PIPELINE_SYNC);
    }

    using pg_answer = std::unique_ptr<PGresult, decltype(&PQclear)>;
    pg_answer next() { return {PQgetResult(m_connection.get()), &PQclear}; }

    void expect(ExecStatusType wanted) {
        auto const answer = next();
        if (PQresultStatus(answer.get()) != wanted) {
            fail();
        }
        auto const* const rows = PQcmdTuples(answer.get());
        if (rows[0] != '\0' && std::string_view{rows} != "1") {
            throw std::runtime_error{"plain: a statement wrote " + std::string{rows} +
                                     " rows instead of one"};
        }
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> m_connection;
    bool m_one_trip;
    int m_sent = 0;
};

} // namespace

std::unique_ptr<worker> plain_sql(std::string const& dsn, bool one_trip) {
    return std::make_unique<plain_worker>(dsn, one_trip);
}

} // namespace once::bench
