// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "wire_event.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

/** @file
 * Ready-made rules for a wire_proxy.
 */
namespace once::testing {

/** Decides about a message before it is forwarded.
 *
 * Runs in the thread of the message's connection: while it runs, that connection stands still and others do not. It may
 * kill processes, use other connections (through the proxy too) and ask the proxy; it must not destroy the proxy. A
 * rule that throws cuts the connection and leaves its text in wire_proxy::faults().
 */
using rule = std::function<action(event const&)>;

/** A rule that waits for a certain message, acts a limited number of times, and tells how often it did.
 *
 * Copies share their state, so keep one and give the other to wire_proxy::add().
 * @par Thread safety
 * fired() and wait_fired() from any thread. The setters are for the time before add().
 */
class trigger {
public:
    trigger(std::function<bool(event const&)> matches, action what);

    /// Fires for `count` matching messages (default 1); 0 = for all.
    trigger& times(int count);
    /// Lets the first `count` matching messages pass.
    trigger& skip(int count);
    /// Does `deed` each time before it acts: kill a process, terminate a session.
    trigger& doing(std::function<void(event const&)> deed);

    /// How often it fired. Counted after the deed, before the action takes effect.
    [[nodiscard]] int fired() const;
    /// Waits until it fired `count` times; false when `timeout` passes first.
    [[nodiscard]] bool wait_fired(std::chrono::milliseconds timeout = std::chrono::seconds{10},
                                  int count = 1) const;

    /// Makes it a rule.
    action operator()(event const& e) const;

private:
    struct state;
    std::shared_ptr<state> m_state;
};

/// For `connection` in the factories below: every connection counts.
inline constexpr int any_connection = 0;

/// Which client messages of a statement at_sql() looks at.
enum class sql_stage {
    executing, ///< Query and Execute: the message that makes the server run it
    parsing,   ///< Query and Parse
    any        ///< every message that carries or refers to the SQL
};

/// The message with this index (event::index, start-up included).
[[nodiscard]] trigger at(int connection, wire_direction direction, int index, action what);

/// The message with this index counted from the end of start-up (event::work_index).
[[nodiscard]] trigger at_work(int connection, wire_direction direction, int index, action what);

/** The client's message whose SQL contains `substring` (letter case ignored).
 *
 * A prepared COMMIT is in one Parse and then only named by Bind and Execute; the default looks at the message that runs
 * it, so that cut_after() means "the server has got the order".
 */
[[nodiscard]] trigger at_sql(std::string substring, action what, sql_stage stage = sql_stage::executing);

/// The server's CommandComplete with exactly this tag: at_tag("COMMIT", act::cut()) is the lost COMMIT reply.
[[nodiscard]] trigger at_tag(std::string tag, action what);

/// Any message of this type in this direction.
[[nodiscard]] trigger at_type(wire_direction direction, char type, action what);

} // namespace once::testing
