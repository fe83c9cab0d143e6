// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "../bench_tables.hpp"
#include "sections.hpp"

#include <libpq-fe.h>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/params>
#include <pqxx/prepared_statement>
#include <pqxx/result>
#include <pqxx/transaction>

#include <exception>
#include <latch>
#include <optional>
#include <stdexcept>
#include <sys/resource.h>
#include <vector>

namespace once::bench {

namespace {

void check_count(std::string const& dsn, std::int64_t count) {
    if (ask(dsn, "select count(*) from once.outbox") != std::to_string(count)) {
        throw std::runtime_error{"the outbox does not hold what was staged"};
    }
    run_sql(dsn, "truncate once.outbox");
    run_sql(dsn, "checkpoint");
}

cost publish_bulk(std::string const& dsn, std::int64_t count) {
    pqxx::connection connection{dsn};
    cost_clock const clock{dsn};
    pqxx::work tx{connection};
    std::int64_t number = 0;
    publish_each(tx, [&]() -> std::optional<message> {
        if (number == count) {
            return std::nullopt;
        }
        return message_number(number++);
    });
    tx.commit();
    auto const taken = clock.stop(count);
    check_count(dsn, count);
    return taken;
}

// As text, in pieces of about 1000 lines; what publish() would have put into the columns.
cost copy_in(std::string const& dsn, std::int64_t count) {
    std::unique_ptr<PGconn, decltype(&PQfinish)> const connection{PQconnectdb(dsn.c_str()), &PQfinish};
    auto const require = [&](bool fine) {
        if (!fine) {
            throw std::runtime_error{PQerrorMessage(connection.get())};
        }
    };
    using result = std::unique_ptr<PGresult, decltype(&PQclear)>;
    cost_clock const clock{dsn};
    result const begun{PQexec(connection.get(), "copy once.outbox (service, message_id, bucket, topic, key, "
                                                "content_type, payload_json) from stdin"),
                       &PQclear};
    require(PQresultStatus(begun.get()) == PGRES_COPY_IN);
    std::string lines;
    for (std::int64_t number = 0; number < count; ++number) {
        auto const one = message_number(number);
        lines += "postgres\t" + message_id::random().to_string() + '\t' + std::to_string(number % 1024) +
                 '\t' + one.topic + '\t' + one.key + '\t' + one.payload.content_type() + '\t' +
                 one.payload.data() + '\n';
        if (lines.size() > std::size_t{256} * 1024 || number + 1 == count) {
            require(PQputCopyData(connection.get(), lines.data(), static_cast<int>(lines.size())) == 1);
            lines.clear();
        }
    }
    require(PQputCopyEnd(connection.get(), nullptr) == 1);
    while (result const one{PQgetResult(connection.get()), &PQclear}) {
        require(PQresultStatus(one.get()) == PGRES_COMMAND_OK);
    }
    auto const taken = clock.stop(count);
    check_count(dsn, count);
    return taken;
}

double peak_mebibytes() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_maxrss) / 1024;
}

/// How a writer stages its message.
constexpr char const* as_it_is = "once.publish($1, $2, $3::json, p_content_type => 'application/json')";
constexpr char const* without_wake_up =
    "bench.publish_quietly($1, $2, $3::json, p_content_type => 'application/json')";
constexpr char const* notify_always =
    "bench.publish_loudly($1, $2, $3::json, p_content_type => 'application/json')";

struct crew {
    int writers = 8;
    char const* how = as_it_is;
    int commit_delay = 0;
};

void write_until(std::stop_token const& stop, std::string const& dsn, crew const& crew, std::int64_t first,
                 std::latch& ready, std::latch& start, std::int64_t& count) {
    std::optional<pqxx::connection> connection;
    auto const one = message_number(first);
    try {
        connection.emplace(dsn);
        pqxx::nontransaction session{*connection};
        session.exec("set commit_delay = " + std::to_string(crew.commit_delay));
        session.exec("set commit_siblings = 0");
        connection->prepare("publish", std::string{"select "} + crew.how);
        // Prepared statements get a generic plan after five runs.
        for (int i = 0; i < 10; ++i) {
            session.exec(pqxx::prepped{"publish"}, pqxx::params{one.topic, one.key, one.payload.data()});
        }
    } catch (...) {
        ready.count_down();
        throw;
    }
    ready.count_down();
    start.wait();
    pqxx::nontransaction session{*connection};
    while (!stop.stop_requested()) {
        session.exec(pqxx::prepped{"publish"}, pqxx::params{one.topic, one.key, one.payload.data()});
        ++count;
    }
}

cost write_at_full_speed(std::string const& dsn, crew const& crew, std::chrono::duration<double> time) {
    struct alignas(64) member {
        std::int64_t count = 0;
        std::exception_ptr failure;
    };
    std::vector<member> members(static_cast<std::size_t>(crew.writers));
    std::latch ready{crew.writers};
    std::latch start{1};
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < members.size(); ++i) {
        threads.emplace_back([&, i](std::stop_token const& stop) {
            try {
                write_until(stop, dsn, crew, static_cast<std::int64_t>(i), ready, start, members[i].count);
            } catch (...) {
                members[i].failure = std::current_exception();
            }
        });
    }
    ready.wait();
    cost_clock const clock{dsn};
    start.count_down();
    std::this_thread::sleep_for(time); // the sample itself
    for (auto& thread : threads) {
        thread.request_stop();
    }
    threads.clear();
    std::int64_t sum = 0;
    for (auto const& one : members) {
        if (one.failure) {
            std::rethrow_exception(one.failure);
        }
        sum += one.count;
    }
    return clock.stop(sum);
}

// The same functions, but for the part that wakes readers: made from the text of the real one, so that they stay alike.
void create_functions_to_compare(std::string const& dsn) {
    constexpr auto const* make = R"(do $do$
        declare
            v_text constant text :=
                pg_get_functiondef('once.publish(text,text,json,bytea,text,json,text,uuid,boolean)'::regprocedure);
        begin
            if v_text !~ 'once.reader_sleeps\(\)' or v_text !~ 'once.notify_readers\(\)' then
                raise exception 'publish() does not look as the benchmark knows it';
            end if;
            execute replace(replace(v_text, 'once.reader_sleeps()', 'false'), 'FUNCTION once.publish(',
                'FUNCTION bench.publish_quietly(');
            execute replace(replace(replace(v_text, 'once.reader_sleeps()', 'true'), 'once.notify_readers()',
                'pg_notify(''bench'', '''')'), 'FUNCTION once.publish(', 'FUNCTION bench.publish_loudly(');
        end $do$)";
    run_sql(dsn, make);
}

/// How a reader waits for messages.
enum class waiting { none, listens, polls };

cost write_beside(std::string const& dsn, crew const& crew, waiting how, std::chrono::duration<double> time) {
    std::optional<attached_reader> reader;
    if (how != waiting::none) {
        reader.emplace(dsn, how == waiting::listens);
    }
    auto const taken = write_at_full_speed(dsn, crew, time);
    if (reader) {
        reader->await(taken.messages);
    }
    reader.reset();
    run_sql(dsn, "truncate once.outbox");
    return taken;
}

std::string named(crew const& crew, char const* what) {
    return formatted("%d writers, delay %d, %s", crew.writers, crew.commit_delay, what);
}

void compare_wake_ups(report& report, std::string const& dsn, sizes const& sizes, int writers, int delay) {
    crew const with{writers, as_it_is, delay};
    crew const without{writers, without_wake_up, delay};
    crew const always{writers, notify_always, delay};
    std::vector<contestant> const all{
        {named(with, "listens"), [=] { return write_beside(dsn, with, waiting::listens, sizes.sample); }},
        {named(without, "polls"), [=] { return write_beside(dsn, without, waiting::polls, sizes.sample); }},
        {named(without, "no reader"),
         [=] { return write_beside(dsn, without, waiting::none, sizes.sample); }},
        {named(always, "NOTIFY each"),
         [=] { return write_beside(dsn, always, waiting::polls, sizes.sample); }},
    };
    auto const measured = compete(all, sizes.rounds);
    add(report, formatted("wake-up-%d-%d", writers, delay),
        "writers, commits/s, and how a reader hears of them", all, measured);
    report.add(
        {.what = formatted("wake-up: %d writers, commit_delay %d: listening / polling", writers, delay),
         .value = ratio(measured, all[0].name, all[1].name),
         .bound = 0.95});
}

} // namespace

void measure_bulk(report& report, sizes const& sizes) {
    testbed const bed;
    std::vector<contestant> const all{
        {"publish_each", [&] { return publish_bulk(bed.dsn(), sizes.backlog); }},
        {"COPY into the outbox", [&] { return copy_in(bed.dsn(), sizes.backlog); }},
    };
    auto const before = peak_mebibytes();
    auto const measured = compete(all, sizes.rounds);
    add(report, "bulk", "bulk publish, one transaction", all, measured);
    report.add({.what = "bulk: thousand messages/s in one transaction",
                .value = median_rate(measured, "publish_each") / 1000,
                .bound = 200});
    report.add({.what = "bulk: MiB that the client's memory grew by",
                .value = peak_mebibytes() - before,
                .bound = 64,
                .at_most = true});
}

void measure_writers(report& report, sizes const& sizes) {
    testbed const bed;
    create_functions_to_compare(bed.dsn());
    crew const eight{};
    std::vector<contestant> const all{
        {"8 writers", [&] { return write_beside(bed.dsn(), eight, waiting::none, sizes.sample); }},
        {"8 writers, a reader attached",
         [&] { return write_beside(bed.dsn(), eight, waiting::listens, sizes.sample); }},
    };
    auto const measured = compete(all, sizes.rounds);
    add(report, "writers", "one message per transaction at full speed", all, measured);
    report.add({.what = "writers: 8 with a reader attached / without",
                .value = ratio(measured, all[1].name, all[0].name),
                .bound = 0.9});
    for (int const writers : sizes.crews) {
        for (int const delay : sizes.commit_delays) {
            compare_wake_ups(report, bed.dsn(), sizes, writers, delay);
        }
    }
}

} // namespace once::bench
