// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one class plans, runs and judges a sweep, and its parts mean nothing alone.
#include "faults/fault_sweep.hpp"

#include <once/error.hpp>

#include "support/wait_until.hpp"

#include <pqxx/except>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>

namespace once::testing {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr unsigned workers = 16; // they mostly wait

struct task {
    form how;
    isolation level;
    fault const* what;
    wire_direction direction;
    int index;
    bool must_fire;
    std::string key;

    [[nodiscard]] std::string name() const {
        return to_string(how) + ", " + to_string(level) + ", " + what->name +
               (direction == wire_direction::to_server ? " to the server, message "
                                                       : " to the client, message ") +
               std::to_string(index);
    }
};

call_options options_for(task const& one, sweep_plan const& plan) {
    if (!plan.pooler.empty()) { // longer than its query_timeout
        return {.isolation_level = one.level,
                .wait = one.what->silent ? 300ms : 2'000ms,
                // After KILL clients wait for RESUME, which takes its time on a busy machine.
                .deadline = one.what->silent ? 5'000ms : 20'000ms,
                .reply_timeout = 2'500ms};
    }
    // A black hole costs its whole timeout each time. A client that is told of the loss needs no haste, only a free
    // key.
    return {.isolation_level = one.level,
            .wait = one.what->silent || one.what->zombie ? 300ms : 2'000ms,
            .deadline = 3'000ms,
            .reply_timeout = 300ms};
}

call_options patient(isolation level) {
    return {.isolation_level = level, .wait = 8'000ms, .deadline = 20'000ms};
}

// Short only where connecting is what fails: the first check of the schema takes its time on a busy machine.
database_options through_proxy(sweep_plan const& plan) {
    // Too short, and the next connection is begun before the message that the fault waits for.
    constexpr auto little = 1s * ONCE_TEST_PATIENCE;
    return {.max_connections = 2,
            .connect_timeout = plan.part == sweep_part::connecting ? little : 5'000ms,
            .prepared_statements = plan.pooler != "transaction"};
}

/// What the first call, the one with the fault, came to.
struct first_call {
    std::optional<reply> answer;
    bool deadline_exceeded = false;
    bool cancelled = false;
    std::string error;
    std::chrono::milliseconds took{0};
};

first_call call(database& db, task const& one, call_options const& options) {
    first_call made;
    auto const begin = clock::now();
    try {
        made.answer = run_workload(db, one.how, one.key, options);
    } catch (once::deadline_exceeded const& e) {
        made.deadline_exceeded = true;
        made.error = e.what();
    } catch (pqxx::sql_error const& e) {
        made.cancelled = std::string{e.sqlstate()} == "57014";
        made.error = e.what();
    } catch (std::exception const& e) {
        made.error = e.what();
    }
    made.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begin);
    return made;
}

class sweeper {
public:
    sweeper(workload_database const& where, sweep_plan const& plan)
        : m_where{where}, m_plan{plan}, m_clean{where.dsn(), {.max_connections = workers}} {
        plan_tasks();
    }

    sweep_result run() {
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < workers; ++i) {
            threads.emplace_back([this] { work(); });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        return m_result;
    }

private:
    void plan_tasks() {
        // Black holes first: they take long and use no processor.
        auto faults = std::vector<fault const*>{};
        for (bool const silent : {true, false}) {
            for (auto const& one : m_plan.faults) {
                if (one.silent == silent) {
                    faults.push_back(&one);
                }
            }
        }
        for (auto const* what : faults) {
            for (auto const how : m_plan.forms) {
                for (auto const level : m_plan.levels) {
                    for (auto const direction : {wire_direction::to_server, wire_direction::to_client}) {
                        int const count = count_messages(how, level, direction);
                        // One past the end must not fire. At the higher levels it can: a conflict with another thread's
                        // request makes this one run again on the same connection.
                        bool const past_end =
                            m_plan.part == sweep_part::request && level == isolation::read_committed;
                        for (int index = 0; index < count + past_end; ++index) {
                            m_tasks.push_back({how, level, what, direction, index, index < count,
                                               "sweep-" + std::to_string(m_tasks.size())});
                        }
                    }
                }
            }
        }
    }

    /// Of a request without a fault.
    int count_messages(form how, isolation level, wire_direction direction) {
        auto const known = m_counts.find({how, level});
        if (known != m_counts.end()) {
            return direction == wire_direction::to_server ? known->second.first : known->second.second;
        }
        std::string const key = "probe-" + to_string(how) + to_string(level);
        ledger{m_where.dsn()}.open_account(key);
        swept_route route{m_where, m_plan.pooler};
        database db{route.dsn(), through_proxy(m_plan)};
        db.check();
        bool const start_up = m_plan.part == sweep_part::connecting;
        std::pair counts{route.messages(wire_direction::to_server, start_up),
                         route.messages(wire_direction::to_client, start_up)};
        if (!start_up) {
            static_cast<void>(run_workload(db, how, key, patient(level)));
            counts = {route.messages(wire_direction::to_server) - counts.first,
                      route.messages(wire_direction::to_client) - counts.second};
        }
        m_counts.emplace(std::pair{how, level}, counts);
        return count_messages(how, level, direction);
    }

    void work() {
        ledger book{m_where.dsn()};
        ledger deeds{m_where.dsn()};
        for (;;) {
            auto const number = m_next++;
            if (number >= m_tasks.size()) {
                return;
            }
            auto one = m_tasks[number];
            try {
                // Where a pooler went on with another connection than its first, the fault found no message.
                for (int round = 1; run_one(one, book, deeds, round == most_rounds) == way::missed; ++round) {
                    one.key += "-again";
                }
            } catch (std::exception const& e) {
                complain(one, std::string{"threw "} + e.what());
            }
        }
    }

    enum class way { judged, missed };
    static constexpr int most_rounds = 4;

    /// @param last whether it is judged even if the fault found no message
    way run_one(task const& one, ledger& book, ledger& deeds, bool last) {
        book.open_account(one.key);
        swept_route route{m_where, m_plan.pooler, one.what->settings};
        auto& proxy = route.proxy();
        database db{route.dsn(), through_proxy(m_plan)};
        auto const rule = [&] {
            if (m_plan.part == sweep_part::connecting) {
                return at(1, one.direction, one.index, one.what->what);
            }
            check_in_time(db);
            return at_work(1, one.direction, route.messages(one.direction) + one.index, one.what->what);
        };
        auto trap = rule();
        trap.doing([&](event const& e) {
            if (one.what->deed) {
                one.what->deed(e, deeds);
            }
            route.say(one.what->console);
        });
        proxy.add(trap);

        bool const release_early = one.what->zombie && one.index % 2 == 1;
        std::atomic<bool> ended = false;
        std::thread releaser{[&] {
            while (release_early && !ended) {
                if (proxy.wait_for(
                        [](event const& e) {
                            return e.connection > 1 &&
                                   (e.sql.find("once: claim") != std::string::npos ||
                                    e.sql.find("once: begin_request") != std::string::npos);
                        },
                        20ms)) {
                    proxy.release_held();
                    return;
                }
            }
        }};
        auto const options = options_for(one, m_plan);
        auto const first = call(db, one, options);
        ended = true;
        releaser.join();
        proxy.release_held();
        for (auto const& text : proxy.faults()) {
            complain(one, "the proxy says: " + text);
        }
        if (one.must_fire && trap.fired() == 0 && !last && !m_plan.pooler.empty()) {
            return way::missed;
        }
        judge(one, first, trap.fired(), release_early, book, options.deadline);
        return way::judged;
    }

    void judge(task const& one, first_call const& first, int fired, bool released, ledger& book,
               std::chrono::milliseconds deadline) {
        auto const before = book.entry(one.key);
        auto const second = run_workload(m_clean, one.how, one.key, patient(one.level));
        auto const third = run_workload(m_clean, one.how, one.key, patient(one.level));
        auto const after = book.entry(one.key);
        count(first, fired, second);

        auto const expect = [&](bool good, std::string const& what) {
            if (!good) {
                complain(one,
                         what + (first.error.empty() ? "" : " (the first call threw: " + first.error + ")"));
            }
        };
        expect((fired == 1) == one.must_fire, "the fault came " + std::to_string(fired) + " times");
        expect(after.effects == 1, std::to_string(after.effects) + " effects");
        expect(after.balance == 1, "balance " + std::to_string(after.balance));
        expect(second.done() || second.replayed(),
               "the repeat is " + std::string{once::to_string(second.outcome())});
        expect(third.replayed(), "the third call is " + std::string{once::to_string(third.outcome())});
        expect(second.has_response() && second.response().body.data() == after.stored,
               "the repeat's answer is not the stored one");
        expect(third.has_response() && third.response() == second.response(), "the third answer differs");
        expect(first.took <= deadline + 2'000ms, // the deadline, and how late a busy machine may be
               "the first call took " + std::to_string(first.took.count()) + " ms");

        if (!first.answer) {
            expect(before.effects == 0 && second.done(), "a call that threw took effect");
            expect((first.deadline_exceeded && one.what->silent) || (first.cancelled && one.what->cancels),
                   "the first call threw");
            return;
        }
        auto const& answer = *first.answer;
        switch (answer.outcome()) {
        case outcome::done:
        case outcome::replayed:
            expect(answer.committed() && second.replayed(), "the first call's answer was not kept");
            expect(answer.has_response() && second.has_response() && answer.response() == second.response(),
                   "the first call's answer is not the repeat's");
            expect(answer.done() || answer.was_in_doubt(), "replayed without a doubt");
            break;
        case outcome::in_progress:
            expect(one.what->silent || one.what->zombie, "in_progress although the session was gone");
            expect(second.done(), "in_progress, and yet it took effect");
            break;
        case outcome::unknown:
            expect(one.what->silent || (one.what->zombie && !released),
                   "unknown although it could be found out");
            break;
        case outcome::key_reused:
        case outcome::refused:
        case outcome::lease_lost:
            expect(false, std::string{to_string(answer.outcome())});
            break;
        }
    }

    void count(first_call const& first, int fired, reply const& second) {
        std::lock_guard const lock{m_mutex};
        ++m_result.operations;
        m_result.fired += fired;
        m_result.deadline_exceeded += first.deadline_exceeded;
        m_result.cancelled += first.cancelled;
        if (first.answer) {
            auto const& answer = *first.answer;
            m_result.in_doubt += answer.was_in_doubt();
            m_result.in_doubt_committed +=
                answer.was_in_doubt() && (answer.replayed() || (answer.unknown() && second.replayed()));
            m_result.unknown += answer.unknown();
            m_result.in_progress += answer.in_progress();
        }
    }

    void complain(task const& one, std::string const& what) {
        std::lock_guard const lock{m_mutex};
        m_result.failures.push_back(one.name() + ": " + what);
    }

    workload_database const& m_where;
    sweep_plan const& m_plan;
    database m_clean;
    std::map<std::pair<form, isolation>, std::pair<int, int>> m_counts;
    std::vector<task> m_tasks;
    std::atomic<std::size_t> m_next = 0;
    std::mutex m_mutex;
    sweep_result m_result;
};

} // namespace

void check_in_time(database& db) {
    auto const checked = [&] {
        try {
            db.check();
            return true;
        } catch (pqxx::broken_connection const&) {
            return false;
        }
    };
    if (!wait_until(checked)) {
        db.check();
    }
}

std::vector<fault> loud_faults() {
    return {{.name = "cut", .what = act::cut()},
            {.name = "cut_after", .what = act::cut_after()},
            {.name = "half_close_client", .what = act::half_close_client()},
            {.name = "half_close_server", .what = act::half_close_server()}};
}

fault black_hole() {
    return {.name = "swallow", .what = act::swallow(), .silent = true};
}

std::vector<fault> pooler_faults() {
    return {
        {.name = "KILL", .what = act::forward(), .console = {"KILL", "RESUME"}},
        {.name = "RECONNECT", .what = act::forward(), .console = {"RECONNECT"}},
        {.name = "query_timeout", .what = act::swallow(), .silent = true, .settings = {"query_timeout = 1"}}};
}

swept_route::swept_route(workload_database const& where, std::string const& pooler_mode,
                         std::vector<std::string> const& settings)
    : m_where{where}, m_proxy{where.upstream()} {
    if (!pooler_mode.empty()) {
        m_between.emplace(pooled_server{.host = m_proxy.dsn_host(),
                                        .port = std::to_string(m_proxy.dsn_port()),
                                        .user = where.user(),
                                        .dbname = where.name()},
                          pooler_mode, 4, settings);
    }
}

std::string swept_route::dsn() const {
    return m_between ? m_between->dsn() : m_where.through(m_proxy);
}

void swept_route::say(std::vector<std::string> const& commands) const {
    for (auto const& one : commands) {
        m_between->command(one + ' ' + m_where.name());
    }
}

int swept_route::messages(wire_direction direction, bool start_up) const {
    auto const trace = m_proxy.trace(1);
    return static_cast<int>(std::ranges::count_if(
        trace, [&](event const& e) { return e.direction == direction && (start_up || e.work_index >= 0); }));
}

fault zombie() {
    return {.name = "close_client_keep_server", .what = act::close_client_keep_server(), .zombie = true};
}

std::string sweep_result::counts() const {
    return std::to_string(operations) + " operations, " + std::to_string(fired) + " faults, " +
           std::to_string(in_doubt) + " commits in doubt of which " + std::to_string(in_doubt_committed) +
           " had committed, " + std::to_string(unknown) + " unknown, " + std::to_string(in_progress) +
           " in progress, " + std::to_string(deadline_exceeded) + " deadlines exceeded, " +
           std::to_string(cancelled) + " cancelled, " + std::to_string(failures.size()) + " failures";
}

std::string sweep_result::complaints() const {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(failures.size(), 40); ++i) {
        text += failures[i] + '\n';
    }
    return text;
}

sweep_result run_sweep(workload_database const& where, sweep_plan const& plan) {
    return sweeper{where, plan}.run();
}

bool take_long() {
    char const* const set = std::getenv("ONCE_LONG"); // NOLINT(concurrency-mt-unsafe)
    return set != nullptr && *set != '\0' && *set != '0';
}

} // namespace once::testing
