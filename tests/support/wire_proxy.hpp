// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "wire_event.hpp"
#include "wire_rules.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/** @file
 * A proxy between PostgreSQL clients and a server that reads the protocol: for faults, counts and latency in tests.
 */
namespace once::testing {

/// The real server: the folder of its Unix socket and its port.
struct wire_upstream {
    std::string host;
    int port = 5432;
};

struct wire_options {
    /// Latency of the simulated network: each direction delays what it carries by half of it. 0 = none.
    std::chrono::nanoseconds round_trip{0};
    /// False saves the trace's time and memory in benchmarks; rules and counters work on.
    bool keep_trace = true;
    /// Events that the trace keeps, of all connections; the oldest leave first.
    std::size_t trace_limit = 200'000;
    /** Bytes that each stage of one direction may keep before it stops reading from its source.
     *
     * With a round trip it also bounds the throughput to about this much per half round trip. At least 64 KiB.
     */
    std::size_t buffer_bytes = std::size_t{1024} * 1024;
};

/** Listens on a Unix socket of its own and passes every connection on to the server.
 *
 * @code
 * wire_proxy proxy{{.host = socket_folder, .port = 5432}};
 * auto lost = proxy.add(at_tag("COMMIT", act::cut()));   // the server commits, the client never hears of it
 * pqxx::connection client{proxy.dsn("mydb", "me")};
 * // ... a transaction: commit() throws, the row is there, lost.fired() == 1
 * @endcode
 *
 * Only plain connections: SSL and GSS requests are passed on, and on Unix sockets a server declines them. The server
 * sees the proxy's user as the peer, so `peer` authentication works only where that is the wanted one.
 *
 * @par What is counted
 * Counts are taken at the client's end of the simulated wire. A flight is a run of client bytes with no answer within
 * it; a round trip is a flight that was followed by an answer. Answers are messages of the server except those it may
 * send unasked (NotificationResponse, NoticeResponse, ParameterStatus). Messages that are sent without waiting
 * therefore add a flight but no round trip before an answer comes. The Terminate message of a client that says goodbye
 * is a flight of its own. A swallowed or cut answer completes no round trip. Start-up, up to the first ReadyForQuery,
 * is counted apart.
 *
 * @par Forked processes
 * All sockets are close-on-exec and are ended with shutdown(), so a child that holds copies keeps nothing alive. The
 * proxy's threads exist only in the process that made it.
 *
 * @par Thread safety
 * All members from any thread, rules included, except the destructor.
 *
 * @par Throws
 * The constructor: std::system_error when the socket cannot be made, std::invalid_argument when its path or the
 * server's does not fit into a socket address.
 */
class wire_proxy {
public:
    explicit wire_proxy(wire_upstream upstream, wire_options options = {});
    wire_proxy(wire_proxy const&) = delete;
    wire_proxy& operator=(wire_proxy const&) = delete;
    /// Closes all connections, held ones included, joins all threads, removes the folder.
    ~wire_proxy();

    /// The folder of the proxy's socket: `host` for libpq.
    [[nodiscard]] std::string dsn_host() const;
    /// The port in the socket's name: `port` for libpq.
    [[nodiscard]] int dsn_port() const;
    /// A connection string through the proxy.
    [[nodiscard]] std::string dsn(std::string const& dbname, std::string const& user) const;

    /// Adds a rule. Rules are asked in the order of adding; the first that does not forward decides.
    void add(rule decide);
    /// Adds a trigger and returns it, to ask later how often it fired.
    trigger add(trigger t);
    /// Removes all rules. What they have begun (black holes, held messages) goes on.
    void clear_rules();

    /// Lets all messages go that are on hold now.
    void release();
    /// Closes the server's side of all connections whose client was taken away by a rule, or left behind a black hole.
    void release_held();
    /// Changes the latency for data that arrives from now on.
    void set_round_trip(std::chrono::nanoseconds round_trip);

    /// All events so far, those of ended connections too. An event is in it before its bytes are passed on.
    [[nodiscard]] std::vector<event> trace() const;
    /// Those of one connection.
    [[nodiscard]] std::vector<event> trace(int connection) const;
    /// Forgets the events so far.
    void clear_trace();
    /// Waits for an event (past or coming) with this property; nothing when `timeout` passes first.
    [[nodiscard]] std::optional<event> wait_for(std::function<bool(event const&)> const& is_it,
                                                std::chrono::milliseconds timeout = std::chrono::seconds{
                                                    10}) const;
    /// Waits until the connection is closed on both sides; false when `timeout` passes first.
    [[nodiscard]] bool wait_closed(int connection,
                                   std::chrono::milliseconds timeout = std::chrono::seconds{10}) const;

    /// Connections accepted so far, cancel requests included; the newest has this number.
    [[nodiscard]] int connections() const;
    /// Those that still have an open side.
    [[nodiscard]] int open_connections() const;
    /// Connections that were made to cancel a query.
    [[nodiscard]] int cancel_requests() const;
    /// The server process of a connection; 0 before it told.
    [[nodiscard]] int backend_pid(int connection) const;

    /// Round trips of one connection since its start-up or the last reset; of all without a number.
    [[nodiscard]] std::int64_t round_trips(int connection) const;
    [[nodiscard]] std::int64_t round_trips() const;
    /// Flights of one connection; of all without a number.
    [[nodiscard]] std::int64_t client_flights(int connection) const;
    [[nodiscard]] std::int64_t client_flights() const;
    /// Round trips for start-up and authentication.
    [[nodiscard]] std::int64_t startup_round_trips(int connection) const;
    [[nodiscard]] std::int64_t startup_round_trips() const;
    /// Sets all counters above to 0.
    void reset_counters();

    /// What went wrong in the proxy itself: no server, not the protocol, a rule that threw. Empty in a good test.
    [[nodiscard]] std::vector<std::string> faults() const;

private:
    struct impl;
    std::unique_ptr<impl> m_impl;
};

} // namespace once::testing
