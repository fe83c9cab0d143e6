// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "peers.hpp"

#include "bed.hpp"

#include <libpq-fe.h>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/prepared_statement>
#include <pqxx/result>
#include <pqxx/row>

#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

/** @file
 * The same backlog drained by others, each in as few round trips as it allows.
 */
namespace once::bench {

namespace {

// What a consumer gets from either: the same strings as a delivery of ours.
struct received {
    std::string id;
    std::string published_at;
    std::string topic;
    std::string key;
    std::string content_type;
    std::string payload;
};

std::vector<received> read_rows(pqxx::result const& rows) {
    std::vector<received> made;
    made.reserve(static_cast<std::size_t>(rows.size()));
    for (auto const& row : rows) {
        made.push_back(
            {row[0].c_str(), row[1].c_str(), row[2].c_str(), row[3].c_str(), row[4].c_str(), row[5].c_str()});
    }
    return made;
}

} // namespace

bool has_pgq(std::string const& dsn) {
    return ask(dsn, "select count(*) from pg_available_extensions where name = 'pgq'") == "1";
}

void fill_pgq(std::string const& dsn, int batch) {
    run_sql(dsn, "create extension pgq");
    run_sql(dsn, "select pgq.create_queue('bench'), pgq.set_queue_config('bench', 'ticker_max_count', '1'), "
                 "pgq.set_queue_config('bench', 'ticker_max_lag', '0')");
    run_sql(dsn, "select pgq.register_consumer('bench', 'keeps-the-events')");
    // A procedure, because events and ticks must be in transactions of their own.
    run_sql(
        dsn,
        formatted("do $$ declare v_from bigint := 0; begin "
                  "while v_from < (select max(id) from once.outbox) loop "
                  "perform pgq.insert_event('bench', topic, payload_json::text, key, message_id::text, "
                  "content_type, null) from once.outbox where id > v_from and id <= v_from + %d order by id; "
                  "commit; perform pgq.ticker('bench'); commit; v_from := v_from + %d; "
                  "end loop; end $$",
                  batch, batch));
    run_sql(dsn, "vacuum (analyze)");
    run_sql(dsn, "checkpoint");
}

cost drain_pgq(std::string const& dsn) {
    pqxx::connection connection{dsn};
    connection.prepare("next", "select pgq.next_batch('bench', 'drain')");
    connection.prepare("events", "select ev_extra2, ev_time, ev_type, ev_extra1, ev_extra3, ev_data "
                                 "from pgq.get_batch_events($1)");
    connection.prepare("next_after", "select pgq.finish_batch($1), pgq.next_batch('bench', 'drain')");
    pqxx::nontransaction session{connection};
    session.exec("select pgq.register_consumer_at('bench', 'drain', (select min(tick_id) from pgq.tick))");
    cost_clock const clock{dsn};
    std::int64_t count = 0;
    auto batch = session.exec(pqxx::prepped{"next"}, pqxx::params{})[0][0].as<std::optional<std::int64_t>>();
    while (batch) {
        auto const messages = read_rows(session.exec(pqxx::prepped{"events"}, pqxx::params{*batch}));
        count += static_cast<std::int64_t>(messages.size());
        batch = session.exec(pqxx::prepped{"next_after"}, pqxx::params{*batch})[0][1]
                    .as<std::optional<std::int64_t>>();
    }
    auto const taken = clock.stop(count);
    session.exec("select pgq.unregister_consumer('bench', 'drain')");
    return taken;
}

cost drain_by_delete(std::string const& dsn, int batch) {
    run_sql(dsn, "drop table if exists bench.queue");
    run_sql(dsn,
            "create table bench.queue (id bigint primary key, message_id uuid, published_at timestamptz, "
            "topic text, key text, content_type text, payload json)");
    run_sql(dsn, "insert into bench.queue select id, message_id, published_at, topic, key, content_type, "
                 "payload_json from once.outbox");
    run_sql(dsn, "vacuum (analyze) bench.queue");
    run_sql(dsn, "checkpoint");
    pqxx::connection connection{dsn};
    connection.prepare("take",
                       "delete from bench.queue where id = any (array(select id from bench.queue order by id "
                       "limit $1 for update skip locked)) "
                       "returning message_id, published_at, topic, key, content_type, payload");
    pqxx::nontransaction session{connection};
    cost_clock const clock{dsn};
    std::int64_t count = 0;
    while (true) {
        auto const messages = read_rows(session.exec(pqxx::prepped{"take"}, pqxx::params{batch}));
        if (messages.empty()) {
            break;
        }
        count += static_cast<std::int64_t>(messages.size());
    }
    return clock.stop(count);
}

cost copy_out(std::string const& dsn) {
    std::unique_ptr<PGconn, decltype(&PQfinish)> const connection{PQconnectdb(dsn.c_str()), &PQfinish};
    cost_clock const clock{dsn};
    std::unique_ptr<PGresult, decltype(&PQclear)> const begun{
        PQexec(connection.get(),
               "copy (select id, message_id, published_at, service, topic, key, traceparent, "
               "content_type, headers, payload_json, payload_bytes from once.outbox) to stdout"),
        &PQclear};
    if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) {
        throw std::runtime_error{PQerrorMessage(connection.get())};
    }
    std::int64_t count = 0;
    char* line = nullptr;
    while (PQgetCopyData(connection.get(), &line, 0) > 0) {
        PQfreemem(line);
        ++count;
    }
    return clock.stop(count);
}

} // namespace once::bench
