// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/options.hpp>

#include "faults/ledger.hpp"
#include "faults/pooler.hpp"
#include "faults/workload.hpp"
#include "support/wire_proxy.hpp"

#include <functional>
#include <optional>
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
    /// Said to the pooler's console before the action, with the name of the database: KILL, RECONNECT.
    std::vector<std::string> console{};
    /// Settings of the pooler.
    std::vector<std::string> settings{};
};

[[nodiscard]] std::vector<fault> loud_faults(); ///< cut, cut_after, both half closes
[[nodiscard]] fault black_hole();               ///< swallow
[[nodiscard]] fault zombie();                   ///< close_client_keep_server
/// What a pooler adds: KILL and RECONNECT, and an answer that never comes, which it gives up by its query_timeout.
[[nodiscard]] std::vector<fault> pooler_faults();

/// Which messages: those of the request on a warm connection, or those of connecting, up to the first BEGIN.
enum class sweep_part { request, connecting };

struct sweep_plan {
    std::vector<form> forms{form::callback, form::statements};
    std::vector<isolation> levels{isolation::read_committed};
    std::vector<fault> faults{};
    sweep_part part = sweep_part::request;
    /// PgBouncer stands between the client and the proxy, in this mode: the faults are those of the server. Empty:
    /// none.
    std::string pooler{};
};

/// A proxy in front of a database, and a pooler in front of that when there is a mode for it.
class swept_route {
public:
    /// @param settings of the pooler
    swept_route(workload_database const& where, std::string const& pooler_mode,
                std::vector<std::string> const& settings = {});

    [[nodiscard]] wire_proxy& proxy() noexcept { return m_proxy; }
    [[nodiscard]] std::string dsn() const;
    /// Says it to the pooler's console.
    void say(std::vector<std::string> const& commands) const;
    /// Messages of its first connection to the server in this direction, since the end of start-up, or from its
    /// beginning.
    [[nodiscard]] int messages(wire_direction direction, bool start_up = false) const;

private:
    workload_database const& m_where;
    std::optional<pooler> m_between;
    wire_proxy m_proxy; // ends first: its rules speak to the pooler
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

/// Connects and checks, again where a pooler's query_timeout was too short for it: on a busy machine the check alone
/// can take longer.
/// @throws what went wrong in the end
void check_in_time(database& db);

} // namespace once::testing
