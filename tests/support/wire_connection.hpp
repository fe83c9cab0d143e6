// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "wire_protocol.hpp"
#include "wire_rules.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/** @file
 * One proxied connection with its thread; internal to wire_proxy.
 */
namespace once::testing::detail {

using steady = std::chrono::steady_clock;

/// What is counted and known of one connection; outlives it.
struct ledger {
    std::atomic<std::int64_t> trips{0};
    std::atomic<std::int64_t> flights{0};
    std::atomic<std::int64_t> startup_trips{0};
    std::atomic<int> backend_pid{0};
    std::atomic<int> client_pid{0};
    std::atomic<bool> cancel{false};
    std::atomic<bool> open{true};
};

/// What all connections of a proxy share.
struct hub {
    std::string upstream_path;
    std::atomic<std::int64_t> round_trip_ns{0};
    bool keep_trace = true;
    std::size_t trace_limit = 0;
    std::size_t buffer_bytes = 0;

    std::atomic<std::uint64_t> release_epoch{0};
    std::atomic<std::uint64_t> held_epoch{0};
    std::atomic<bool> stopping{false};

    mutable std::mutex mutex; ///< for what follows
    mutable std::condition_variable changed;
    std::shared_ptr<std::vector<rule> const> rules = std::make_shared<std::vector<rule> const>();
    std::deque<event> trace;
    std::uint64_t next_sequence = 0;
    std::vector<std::string> faults;

    [[nodiscard]] action ask(event const& e) const;
    void record(event e);
    void fault(int connection, std::string const& what);
    void closed(ledger& l);
};

/// Owns the two sockets and the thread between them.
class connection {
public:
    connection(hub& shared, std::shared_ptr<ledger> counts, int number, int client_fd);
    connection(connection const&) = delete;
    connection& operator=(connection const&) = delete;
    ~connection();

    /// Makes the thread look at the hub's epochs and flags.
    void wake() const;
    [[nodiscard]] bool finished() const { return !m_counts->open; }

private:
    enum side : std::size_t { client = 0, server = 1 };
    enum class gate { open, released, time, drained };
    enum class closing { no, soon, client_only };

    /// One direction: source socket, delay line, message boundaries, output, sink socket.
    struct lane {
        wire_direction direction = wire_direction::to_server;
        side source = client;
        side sink = server;

        std::deque<std::pair<steady::time_point, std::string>>
            line; ///< with the time at which it arrives here
        std::size_t line_bytes = 0;
        bool source_ended = false;
        steady::time_point end_due{};
        bool end_handled = false;

        byte_queue ready;
        std::size_t body = 0; ///< bytes of the current message that are still to come
        bool pass_body = true;
        bool is_ready_for_query = false;
        bool counts_as_answer = false;
        closing after_body = closing::no;
        int index = 0;
        int work_index = 0;

        gate waits_for = gate::open;
        std::uint64_t gate_epoch = 0;
        steady::time_point gate_time{};

        byte_queue out;
        bool single = false; ///< `out` goes byte by byte
        steady::time_point single_until{};
        bool dropping = false; ///< nothing passes any more
        bool swallowed = false;
        bool shut_sink = false; ///< when `out` is empty
        bool sink_shut = false;
    };

    void run();
    bool connect_upstream();
    void step(steady::time_point now);
    void admit(lane& l, steady::time_point now);
    void advance(lane& l, steady::time_point now);
    bool gate_open(lane const& l, steady::time_point now) const;
    void decide(lane& l, message const& m, steady::time_point now);
    void apply(lane& l, action a, bool lost_already, steady::time_point now);
    void begin_body(lane& l);
    void end_body(lane& l);
    void shut_towards(side s);
    void make_zombie();
    void begin_close();
    void handle_end(lane& l);
    bool flush(lane& l, steady::time_point now);
    void wait_and_read();
    void read_from(lane& l);
    [[nodiscard]] steady::time_point next_deadline() const;
    [[nodiscard]] bool wants_input(lane const& l) const;
    void close_side(side s);
    [[nodiscard]] lane& lane_to(side s) { return m_lanes[s == server ? 0 : 1]; }

    hub& m_hub;
    std::shared_ptr<ledger> m_counts;
    int m_number;
    std::array<int, 2> m_fds{-1, -1};
    std::array<int, 2> m_wake{-1, -1};
    std::array<lane, 2> m_lanes;
    message_reader m_reader;
    std::vector<char> m_buffer;

    steady::time_point m_now{}; ///< at which step() looked
    bool m_done = false;
    bool m_draining = false;
    steady::time_point m_drain_until{};
    bool m_zombie = false;
    std::uint64_t m_held_epoch = 0;
    bool m_started = false;
    enum class last_data { none, from_client, from_server } m_last = last_data::none;

    std::thread m_thread; // last: starts when all else is there
};

} // namespace once::testing::detail
