// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/options.hpp>

#include "faults/ledger.hpp"
#include "faults/workload.hpp"
#include "support/wire_proxy.hpp"

#include <functional>
#include <string>
#include <vector>

/** @file
 * Runs a request once for every message that its connection carries, with a fault at that message, and checks what the
 * library promises: one effect, one answer, in time.
 */
namespace once::testing {

struct fault {
    std::string name;
    action what;
    /// Done before the action, with a connection past the proxy.
    std::function<void(event const&, ledger&)> deed{};
    /// Nobody is told: a black hole. The first call may end without a definite answer.
    bool silent = false;
    /// The server keeps its side: released while the retry waits at odd messages, afterwards at even ones.
    bool zombie = false;
    /// The first call may end with "canceling statement due to user request".
    bool cancels = false;
};

[[nodiscard]] std::vector<fault> loud_faults(); ///< cut, cut_after, both half closes
[[nodiscard]] fault black_hole();               ///< swallow
[[nodiscard]] fault zombie();                   ///< close_client_keep_server

/// Which messages: those of the request on a warm connection, or those of connecting, up to the first BEGIN.
enum class sweep_part { request, connecting };

struct sweep_plan {
    std::vector<form> forms{form::callback, form::statements};
    std::vector<isolation> levels{isolation::read_committed};
    std::vector<fault> faults{};
    sweep_part part = sweep_part::request;
};

struct sweep_result {
    int operations = 0;
    int fired = 0;
    int in_doubt = 0;
    int in_doubt_committed = 0;
    int unknown = 0;
    int in_progress = 0;
    int deadline_exceeded = 0;
    int cancelled = 0;
    std::vector<std::string> failures{};

    /// The counts, in one line.
    [[nodiscard]] std::string counts() const;
    /// The first failures, one per line; empty when there are none.
    [[nodiscard]] std::string complaints() const;
};

/// Sweeps with several threads, each request through a proxy of its own.
[[nodiscard]] sweep_result run_sweep(workload_database const& where, sweep_plan const& plan);

/// ONCE_LONG is set: everything, at leisure.
[[nodiscard]] bool take_long();

} // namespace once::testing
