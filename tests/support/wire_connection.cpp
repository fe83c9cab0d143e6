// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire_connection.hpp"

#include <exception>
#include <stdexcept>

/** @file
 * The decisions of a connection: messages, rules, ends. The sockets are in wire_sockets.cpp.
 */
namespace once::testing::detail {

namespace {

constexpr std::chrono::seconds drain_time{2};

/// Messages that a server may send without being asked; they answer nothing.
bool is_unasked(char type) {
    return type == 'A' || type == 'N' || type == 'S';
}

} // namespace

action hub::ask(event const& e) const {
    auto const snapshot = [&] {
        std::lock_guard const lock{mutex};
        return rules;
    }();
    for (auto const& decide : *snapshot) {
        auto const a = decide(e);
        if (a.kind != action_kind::forward) {
            return a;
        }
    }
    return act::forward();
}

void hub::record(event e) {
    if (!keep_trace) {
        return;
    }
    {
        std::lock_guard const lock{mutex};
        e.sequence = next_sequence++;
        trace.push_back(std::move(e));
        if (trace.size() > trace_limit) {
            trace.pop_front();
        }
    }
    changed.notify_all();
}

void hub::fault(int connection, std::string const& what) {
    std::lock_guard const lock{mutex};
    faults.push_back("connection " + std::to_string(connection) + ": " + what);
}

void hub::closed(ledger& l) {
    {
        std::lock_guard const lock{mutex};
        l.open = false;
    }
    changed.notify_all();
}

void connection::step(steady::time_point now) {
    m_now = now;
    if (m_hub.stopping) {
        m_done = true;
        return;
    }
    bool const let_go = m_hub.held_epoch > m_held_epoch;
    bool const orphaned = m_lanes[0].swallowed && m_lanes[0].source_ended;
    if (let_go && (m_zombie || orphaned)) {
        begin_close();
    }
    for (auto& l : m_lanes) {
        admit(l, now);
    }
    // Again as long as something was sent: that makes room for messages that waited for it.
    bool sent = true;
    while (sent) {
        sent = false;
        for (auto& l : m_lanes) {
            advance(l, now);
        }
        for (auto& l : m_lanes) {
            sent = flush(l, now) || sent;
        }
    }
    if (m_lanes[0].end_handled && m_lanes[1].end_handled) {
        begin_close();
    }
    bool const patience_over = (m_draining || m_zombie) && now >= m_drain_until;
    if (m_draining && (patience_over || (m_lanes[0].out.empty() && m_lanes[1].out.empty()))) {
        m_done = true;
    } else if (m_zombie && patience_over) {
        lane_to(client).out.clear();
        flush(lane_to(client), now);
    }
}

void connection::admit(lane& l, steady::time_point now) {
    while (!l.line.empty() && l.line.front().first <= now) {
        l.ready.append(l.line.front().second);
        l.line_bytes -= l.line.front().second.size();
        l.line.pop_front();
    }
}

bool connection::gate_open(lane const& l, steady::time_point now) const {
    if (l.dropping) {
        return true;
    }
    switch (l.waits_for) {
    case gate::open:
        return true;
    case gate::released:
        return m_hub.release_epoch > l.gate_epoch;
    case gate::time:
        return now >= l.gate_time;
    case gate::drained:
        return l.out.empty();
    }
    return true;
}

void connection::advance(lane& l, steady::time_point now) {
    for (;;) {
        if (m_draining || (m_zombie && l.sink == server) || l.out.size() >= m_hub.buffer_bytes) {
            return;
        }
        if (l.waits_for != gate::open) {
            if (!gate_open(l, now)) {
                return;
            }
            l.single = l.waits_for == gate::drained && !l.dropping;
            l.waits_for = gate::open;
            begin_body(l);
        }
        if (l.body > 0) {
            auto const part = l.ready.view().substr(0, l.body);
            if (part.empty()) {
                break;
            }
            if (l.pass_body && !l.dropping) {
                l.out.append(part);
            }
            l.body -= part.size();
            l.ready.consume(part.size());
            if (l.body == 0) {
                end_body(l);
            }
            continue;
        }
        if (l.single) {
            if (!l.out.empty()) {
                return;
            }
            l.single = false;
        }
        try {
            auto m = m_reader.next(l.direction, l.ready.view());
            if (!m) {
                break;
            }
            decide(l, *m, now);
        } catch (std::exception const& e) {
            m_hub.fault(m_number, e.what());
            begin_close();
        }
    }
    if (l.source_ended && !l.end_handled && l.line.empty() && now >= l.end_due) {
        handle_end(l);
    }
}

void connection::decide(lane& l, message const& m, steady::time_point now) {
    if (m.backend_pid != 0) {
        m_counts->backend_pid = m.backend_pid;
    }
    if (m.type == message_type::cancel_request && l.sink == server && l.index == 0) {
        m_counts->cancel = true;
    }
    event e;
    e.connection = m_number;
    e.direction = l.direction;
    e.index = l.index++;
    e.work_index = m_started ? l.work_index++ : -1;
    e.type = m.type;
    e.size = m.size;
    e.sql = m.sql;
    e.tag = m.tag;
    e.sqlstate = m.sqlstate;
    e.status = m.status;
    e.backend_pid = m_counts->backend_pid;
    e.client_pid = m_counts->client_pid;
    e.when = now;

    // Taken before the rules are asked: who learns from a rule that it fired may release at once.
    auto const release_epoch = m_hub.release_epoch.load();
    auto const held_epoch = m_hub.held_epoch.load();
    bool const lost_already = l.dropping;
    auto const a = lost_already ? act::swallow() : m_hub.ask(e);
    l.gate_epoch = release_epoch;
    bool const may_hold_session = a.kind == action_kind::swallow ||
                                  a.kind == action_kind::close_client_keep_server ||
                                  a.kind == action_kind::pass_then_close_client;
    if (may_hold_session && !lost_already) {
        m_held_epoch = held_epoch;
    }

    e.outcome = a.kind;
    switch (a.kind) {
    case action_kind::cut:
    case action_kind::swallow:
    case action_kind::close_client_keep_server:
        e.forwarded = false;
        break;
    case action_kind::half_close_client:
        e.forwarded = l.sink == server;
        break;
    case action_kind::half_close_server:
        e.forwarded = l.sink == client;
        break;
    default:
        break;
    }
    l.body = m.size;
    l.pass_body = e.forwarded;
    l.is_ready_for_query = l.sink == client && m.type == 'Z';
    l.counts_as_answer = l.sink == client && !is_unasked(m.type);
    l.after_body = closing::no;
    m_hub.record(std::move(e));
    apply(l, a, lost_already, now);
}

void connection::apply(lane& l, action a, bool lost_already, steady::time_point now) {
    switch (a.kind) {
    case action_kind::forward:
        break;
    case action_kind::cut:
        begin_close();
        return;
    case action_kind::cut_after:
        l.after_body = closing::soon;
        break;
    case action_kind::half_close_client:
        shut_towards(client);
        break;
    case action_kind::half_close_server:
        shut_towards(server);
        break;
    case action_kind::swallow:
        l.dropping = true;
        l.swallowed = l.swallowed || !lost_already;
        break;
    case action_kind::close_client_keep_server:
        make_zombie();
        break;
    case action_kind::pass_then_close_client:
        l.after_body = closing::client_only;
        break;
    case action_kind::split:
        l.waits_for = gate::drained;
        return;
    case action_kind::hold:
        l.waits_for = gate::released;
        return;
    case action_kind::delay:
        l.waits_for = gate::time;
        l.gate_time = now + a.duration;
        return;
    }
    begin_body(l);
}

void connection::begin_body(lane& l) {
    if (!l.pass_body || l.dropping) {
        return;
    }
    // Counted when it leaves for the client, so that a held answer is not counted before it is one.
    if (l.counts_as_answer && m_last == last_data::from_client) {
        ++(m_started ? m_counts->trips : m_counts->startup_trips);
        m_last = last_data::from_server;
    }
    if (l.is_ready_for_query) {
        m_started = true;
    }
}

void connection::end_body(lane& l) {
    switch (std::exchange(l.after_body, closing::no)) {
    case closing::no:
        return;
    case closing::soon:
        begin_close();
        return;
    case closing::client_only:
        make_zombie();
        return;
    }
}

void connection::shut_towards(side s) {
    auto& l = lane_to(s);
    l.dropping = true;
    l.shut_sink = true;
}

void connection::make_zombie() {
    m_zombie = true;
    m_drain_until = steady::now() + drain_time;
    lane_to(client).dropping = true;
    lane_to(client).single = false;
}

void connection::begin_close() {
    if (!m_draining) {
        m_draining = true;
        m_drain_until = steady::now() + drain_time;
    }
}

} // namespace once::testing::detail
