// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/message_id.hpp>
#include <once/operation_worker.hpp>

#include "database/connection_pool.hpp"
#include "judgement/failure.hpp"
#include "operation/operation_plan.hpp"
#include "operation/operation_run.hpp"
#include "text/check_range.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace once {

namespace {

void count(operation_summary& sum, operation_reply const& reply) {
    switch (reply.outcome) {
    case operation_outcome::done:
    case operation_outcome::replayed:
        ++sum.done;
        return;
    case operation_outcome::unknown_effect:
        ++sum.unknown_effect;
        return;
    case operation_outcome::failed:
        ++sum.failed;
        return;
    case operation_outcome::in_progress:
    case operation_outcome::key_reused:
        break;
    }
    ++sum.lost;
}

} // namespace

operation_worker::operation_worker(database& db, std::vector<operation> kinds,
                                   operation_worker_options options)
    : m_db{&db}, m_kinds{std::move(kinds)}, m_options{std::move(options)} {
    using namespace std::chrono_literals;
    if (m_kinds.empty()) {
        throw invalid_argument{"kinds", "there is no operation that it could complete"};
    }
    for (auto const& one : m_kinds) {
        if (std::ranges::count(m_kinds, one.name(), &operation::name) != 1) {
            throw invalid_argument{"kinds", "two operations have the same name"};
        }
    }
    detail::check_range<std::chrono::milliseconds>(m_options.poll, 1ms, 1h, "operation_worker_options.poll",
                                                   "1 millisecond and 1 hour");
    detail::check_range(m_options.batch, 1, 100'000, "operation_worker_options.batch", "1 and 100000");
}

void operation_worker::log(std::string_view line) const noexcept {
    detail::pool_of(*m_db).log(line, m_options.log);
}

operation_summary operation_worker::run_once() {
    return round({});
}

operation_summary operation_worker::round(std::stop_token const& stop) {
    operation_summary sum;
    for (auto const& kind : m_kinds) {
        while (sum.taken < m_options.batch && !stop.stop_requested()) {
            auto const owner = message_id::random().to_string();
            detail::operation_run run{*m_db, *kind.m_plan, owner};
            auto state = run.next();
            if (!state || state->outcome == "absent") {
                // Without an answer: if one was taken nevertheless, it is abandoned again when its lease is over.
                break;
            }
            ++sum.taken;
            auto const what = state->name + " " + state->scope + " " + state->key;
            try {
                count(sum, run.run(std::move(*state)));
            } catch (std::exception const& e) {
                ++sum.retried;
                log("once: operation " + what + " is postponed: " + e.what());
            } catch (...) { // a phase may throw anything
                ++sum.retried;
            }
        }
    }
    if (m_options.observer && !sum.idle()) {
        m_options.observer(sum);
    }
    return sum;
}

operation_summary operation_worker::run(
    std::stop_token stop) { // NOLINT(performance-unnecessary-value-param): as std::jthread hands it over
    std::mutex mutex;
    std::condition_variable_any wake;
    operation_summary total;
    while (!stop.stop_requested()) {
        operation_summary sum;
        try {
            sum = round(stop);
            total += sum;
        } catch (std::exception const& e) {
            if (!detail::is_waited_out(detail::judge_failure(e, detail::during::own_statement))) {
                throw;
            }
            log(std::string{"once: operations cannot be looked for: "} + e.what());
        }
        if (sum.taken < m_options.batch) {
            std::unique_lock lock{mutex};
            wake.wait_for(lock, stop, m_options.poll, [] { return false; });
        }
    }
    return total;
}

} // namespace once
