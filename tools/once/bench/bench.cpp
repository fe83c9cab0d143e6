// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bench/bench.hpp"

#include <once/execute.hpp>
#include <once/publisher.hpp>
#include <once/relay.hpp>
#include <once/subscription.hpp>

#include "bench/measure.hpp"
#include "bench/scratch_schema.hpp"
#include "exit_status.hpp"
#include "queries.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <atomic>
#include <cmath>
#include <memory>
#include <ostream>
#include <string>

namespace once::command {

namespace {

constexpr char const* own_subscription = "bench";

// Takes everything, at once.
class null_publisher final : public publisher {
public:
    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point /*deadline*/) override {
        return {.answers = std::vector<publish_answer>(messages.size())};
    }
};

nlohmann::ordered_json rounded(std::optional<double> value, double parts) {
    return value ? nlohmann::ordered_json(std::round(*value * parts) / parts)
                 : nlohmann::ordered_json(nullptr);
}

class bench_run {
public:
    bench_run(target const& where, bench_options const& options, std::stop_token stop)
        : m_options{options},
          m_stop{std::move(stop)},
          m_session{where},
          m_database{where.conninfo, {.schema = where.schema, .max_connections = 2 * connections()}} {}

    /// Rows for people and for machines.
    nlohmann::ordered_json run() {
        job("claim and complete", [this](std::size_t i) { return claim(i); });
        job("replay", [this](std::size_t i) { return replay(i); });
        subscribe_all();
        job("publish", [this](std::size_t) { return publish(); });
        fill();
        job("drain, a call is a batch", [this](std::size_t i) { return drain(i); });
        return m_rows;
    }

private:
    [[nodiscard]] std::size_t connections() const { return static_cast<std::size_t>(m_options.connections); }

    template <class MakeStep>
    void job(char const* name, MakeStep const& make_step) {
        if (m_stop.stop_requested()) {
            return;
        }
        std::vector<bench_step> steps;
        steps.reserve(connections());
        for (std::size_t i = 0; i < connections(); ++i) {
            steps.push_back(make_step(i));
        }
        std::optional<long long> before;
        std::optional<long long> after;
        auto const result = measure(
            steps, std::chrono::seconds{m_options.seconds}, m_stop, [&] { before = wal(); },
            [&] { after = wal(); });
        std::optional<double> per_job;
        if (before && after && result.jobs > 0) {
            per_job = static_cast<double>(*after - *before) / static_cast<double>(result.jobs);
        }
        m_rows.push_back({{"job", name},
                          {"jobs", result.jobs},
                          {"per_second", rounded(result.per_second(), 10)},
                          {"median_ms", rounded(result.percentile(0.5), 1000)},
                          {"p99_ms", rounded(result.percentile(0.99), 1000)},
                          {"wal_bytes", rounded(per_job, 10)}});
    }

    // Bytes of WAL that the server has written; nothing where the role may not ask.
    std::optional<long long> wal() {
        try {
            return m_session.ask(queries::wal_position)[0][0].as<long long>();
        } catch (pqxx::sql_error const&) {
            return std::nullopt;
        }
    }

    bool once_more(std::string const& key) {
        auto const reply = execute(
            m_database, {.scope = "bench", .key = key, .fingerprint = once::no_fingerprint},
            [](transaction&) -> response {
                return {.status = 201,
                        .body = body::json_text(R"({"number":"A-17","customer":"alice","amount":4200})")};
            });
        return reply.replayed();
    }

    bench_step claim(std::size_t i) {
        return [this, i, n = 0]() mutable {
            once_more(std::to_string(i) + "/" + std::to_string(n++));
            return std::size_t{1};
        };
    }
    bench_step replay(std::size_t i) {
        return [this, key = std::to_string(i) + "/0"] {
            once_more(key);
            return std::size_t{1};
        };
    }

    void subscribe_all() {
        transact(m_database, [this](transaction& tx) {
            subscribe(tx, own_subscription, {.slices = m_options.connections});
        }).expect_committed();
    }
    bench_step publish() {
        return [this] {
            auto const number = m_published++;
            transact(m_database, [number](transaction& tx) {
                tx.publish(
                    {.topic = "bench",
                     .key = std::to_string(number % 1000),
                     .payload = body::json_text(R"({"number":"A-17","customer":"alice","amount":4200})")});
            }).expect_committed();
            return std::size_t{1};
        };
    }

    // What was published is soon drained: enough messages for the whole time, within reason.
    void fill() {
        constexpr int at_once = 10'000;
        for (int i = 0; i < 4 * m_options.seconds && !m_stop.stop_requested(); ++i) {
            static_cast<void>(m_session.ask(queries::bench_messages, pqxx::params{at_once}));
        }
    }
    bench_step drain(std::size_t i) {
        struct slice {
            null_publisher publisher;
            std::unique_ptr<once::relay> relay;
        };
        auto const work = std::make_shared<slice>();
        work->relay = std::make_unique<once::relay>(m_database, own_subscription, work->publisher,
                                                    relay_options{.reader = {.slice = static_cast<int>(i)}});
        return [work] { return work->relay->run_once().accepted; };
    }

    bench_options m_options;
    std::stop_token m_stop;
    session m_session;
    database m_database;
    std::atomic<std::size_t> m_published = 0;
    nlohmann::ordered_json m_rows = nlohmann::ordered_json::array();
};

} // namespace

int bench(target const& where, bench_options const& options, format how, std::stop_token const& stop,
          std::ostream& out) {
    target const scratch{where.conninfo, scratch_schema::make_name()};
    session db{scratch};
    if (!options.yes) {
        auto const facts = db.ask(queries::bench_facts);
        throw std::invalid_argument{"this would put load on the database " + std::string{facts[0][0].view()} +
                                    " at " + std::string{facts[0][1].view()} + " (" +
                                    std::string{facts[0][2].view()} +
                                    " other sessions there): " + std::to_string(options.connections) +
                                    " connections, 4 jobs of " + std::to_string(options.seconds) +
                                    " seconds, in a schema of its own, once_bench_..., with group roles "
                                    "named like it. Both are gone in the "
                                    "end, and nothing else is touched. Give --yes to do it"};
    }
    scratch_schema const schema{scratch};
    auto const rows = bench_run{scratch, options, stop}.run();
    print(out, how, db.ask(queries::bench_table, pqxx::params{rows.dump()}), "");
    return stop.stop_requested() ? exit_status::found : exit_status::ok;
}

} // namespace once::command
