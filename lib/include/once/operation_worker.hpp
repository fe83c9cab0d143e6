// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/operation.hpp>

#include <chrono>
#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

namespace once {

/// What one round of a worker came to.
struct operation_summary {
    /// Operations that it took over; the other numbers say what became of them.
    int taken = 0;
    /// Finished: the response is stored.
    int done = 0;
    /// A phase threw; it will be begun again later.
    int retried = 0;
    /// Another process took it over meanwhile.
    int lost = 0;
    /// Now waiting for a person: a call that must not be repeated may have been made.
    int unknown_effect = 0;
    /// Now waiting for a person: all attempts at one phase failed.
    int failed = 0;

    /// Whether there was nothing to do.
    [[nodiscard]] bool idle() const noexcept { return taken == 0; }
    bool operator==(operation_summary const&) const = default;

    /// Counts another round in.
    operation_summary& operator+=(operation_summary const& round) noexcept {
        taken += round.taken;
        done += round.done;
        retried += round.retried;
        lost += round.lost;
        unknown_effect += round.unknown_effect;
        failed += round.failed;
        return *this;
    }
};

/// How a worker behaves. Checked when it is constructed.
struct operation_worker_options {
    /// How long `run` sleeps when there was nothing to do, 1 millisecond to 1 hour.
    detail::time_field<"operation_worker_options.poll"> poll{std::chrono::milliseconds{1'000}};
    /// Most operations that one `run_once` takes, 1 to 100000.
    int batch = 100;
    /// Gets a line for people when an operation failed or the database could not be asked. Never with payloads of the
    /// library; what the exception of a phase says is its author's. What it throws is ignored. Empty: that of the
    /// database.
    std::function<void(std::string_view)> log{};

    /// Gets each round that was not idle, for metrics. It must not throw.
    std::function<void(operation_summary const&)> observer{};
};

/// Completes operations whose owners have vanished or given up.
/**
 * Any number of workers may run, in any number of processes: each operation is one's at a time. Run at least one, or
 * an operation whose client never comes back stays where it is.
 *
 * @par Thread safety
 * One thread at a time for each worker; `database` may be shared.
 */
class ONCE_EXPORT operation_worker {
public:
    /// @param db    must live longer
    /// @param kinds the operations that it knows how to complete; others are left to other workers
    /// @throws once::invalid_argument naming the field
    operation_worker(database& db, std::vector<operation> kinds, operation_worker_options options = {});

    /// Takes over abandoned operations, one after the other, and runs each to its end, until none is left or `batch`.
    /// @throws what asking the database throws; an exception of a phase is counted, logged and kept in `last_error`
    [[nodiscard]] operation_summary run_once();

    /// `run_once` until asked to stop; finishes the operation in hand first. Returns what it did in all. It holds
    /// nothing in between, so another worker goes on at once.
    /**
     * Waited out, logged, and tried again after `poll`, as by every worker of the library: a database that cannot be
     * reached, is shut down or read-only, has no disk or memory left, a statement that was cancelled, conflicts.
     * @throws what no waiting can fix: a schema that is missing or does not fit, missing rights
     */
    operation_summary run(std::stop_token stop);

private:
    operation_summary round(std::stop_token const& stop);
    void log(std::string_view line) const noexcept;

    database* m_db;
    std::vector<operation> m_kinds;
    operation_worker_options m_options;
};

} // namespace once
