// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

/** @file
 * What passes through a wire_proxy (events) and what can be done to it (actions).
 */
namespace once::testing {

/// The way a message travels.
enum class wire_direction { to_server, to_client };

/// Values of event::type for what has no type byte on the wire; all others are the protocol's own letters.
namespace message_type {
inline constexpr char startup = '\0';
inline constexpr char ssl_request = '\1';
inline constexpr char gss_request = '\2';
inline constexpr char cancel_request = '\3';
/// The server's single byte after an SSL or GSS request.
inline constexpr char negotiation_answer = '\4';
} // namespace message_type

/// What a rule can do with a message; see the factories in namespace act for the exact meanings.
enum class action_kind {
    forward,
    cut,
    cut_after,
    half_close_client,
    half_close_server,
    swallow,
    close_client_keep_server,
    pass_then_close_client,
    split,
    hold,
    delay
};

struct action {
    action_kind kind = action_kind::forward;
    std::chrono::nanoseconds duration{0}; ///< only for delay
};

/** The actions.
 *
 * Common to all: messages that passed earlier in the same direction are delivered first (waiting at most 2 s for a
 * peer that does not read), and a rule acts on whole messages, never within one.
 */
namespace act {

/// The message passes unchanged.
[[nodiscard]] inline action forward() {
    return {};
}

/// Both sides are closed, the message is lost.
[[nodiscard]] inline action cut() {
    return {action_kind::cut};
}

/** The message is delivered, then both sides are closed.
 *
 * Towards the server this is the lost answer: the server works on the message and finds nobody to tell. In the
 * extended protocol a statement outside BEGIN commits at Sync, not at Execute.
 */
[[nodiscard]] inline action cut_after() {
    return {action_kind::cut_after};
}

/// The client reads end-of-file; what it sends still reaches the server. A message to the client is lost, one to the
/// server passes.
[[nodiscard]] inline action half_close_client() {
    return {action_kind::half_close_client};
}

/// The server reads end-of-file; what it still sends reaches the client. A message to the server is lost, one to the
/// client passes.
[[nodiscard]] inline action half_close_server() {
    return {action_kind::half_close_server};
}

/** This and all later messages of the direction vanish, both connections stay open: a black hole.
 *
 * The end of the swallowed stream vanishes too: with to_server swallowed, a client that goes away leaves its session
 * alive until wire_proxy::release_held() or until the server ends it.
 */
[[nodiscard]] inline action swallow() {
    return {action_kind::swallow};
}

/** The client's side is closed, the message is lost, the server's side stays open: a zombie session.
 *
 * What the server sends from then on is read, traced as not forwarded and dropped. Ends with
 * wire_proxy::release_held(), with the server's own close, or with the proxy.
 */
[[nodiscard]] inline action close_client_keep_server() {
    return {action_kind::close_client_keep_server};
}

/// As close_client_keep_server(), but the message is delivered first: the zombie works on it.
[[nodiscard]] inline action pass_then_close_client() {
    return {action_kind::pass_then_close_client};
}

/** The message passes in single bytes.
 *
 * Each byte is sent when the receiver has taken the one before it, or after 20 ms.
 */
[[nodiscard]] inline action split() {
    return {action_kind::split};
}

/// The message and all behind it in its direction wait for wire_proxy::release(); the other direction runs on.
[[nodiscard]] inline action hold() {
    return {action_kind::hold};
}

/// The message and all behind it in its direction wait for `duration`; the other direction runs on.
[[nodiscard]] inline action delay(std::chrono::nanoseconds duration) {
    return {action_kind::delay, duration};
}

} // namespace act

/// One protocol message, as a rule gets it and as the trace keeps it.
struct event {
    std::uint64_t sequence = 0; ///< order of the trace, over all connections; 0 while a rule decides
    int connection = 0;         ///< counted from 1 in the order of accept
    wire_direction direction = wire_direction::to_server;
    int index = 0;        ///< within connection and direction, from 0; the start-up packet counts
    int work_index = -1;  ///< the same, counted from the end of start-up (first ReadyForQuery); before it -1
    char type = '\0';     ///< the protocol's letter, or a value of message_type
    std::size_t size = 0; ///< bytes on the wire, type and length included

    /** The SQL text: of Query and Parse; of Bind, Describe, Execute and Close by the names they refer to.
     *
     * At most the first 64 KiB of the message.
     */
    std::string sql;
    std::string tag;      ///< of CommandComplete, such as "INSERT 0 1"
    std::string sqlstate; ///< of ErrorResponse and NoticeResponse
    char status = '\0';   ///< of ReadyForQuery: I, T or E
    int backend_pid = 0;  ///< of the session, from BackendKeyData on
    pid_t client_pid = 0; ///< the process that called connect(), 0 where the system does not tell

    std::chrono::steady_clock::time_point when{}; ///< when the rules were asked
    action_kind outcome = action_kind::forward;   ///< what was decided; set in the trace only
    bool forwarded = true; ///< whether it passed (or passes after release()); trace only
};

} // namespace once::testing
