// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstddef>
#include <exception>
#include <string_view>

namespace once::detail {

/// What a failure is about. Consumer, relay, operation worker and publishers all ask here, so that one error means the
/// same to all of them.
enum class fault {
    /// The message, or what handles it: an attempt has failed.
    message,
    /// The message, and no further attempt is wanted.
    rejected,
    /// What was tried at once is too much: less of it may fit.
    too_much,
    /// Another transaction was faster: the same again.
    conflict,
    /// The database can do nothing at present: the connection, the server, its disk, its operator. Waiting helps.
    database,
    /// Another reader is at work.
    another_reader,
    /// The subscription is paused or expired.
    paused,
    /// The set-up or the program: no waiting can fix it.
    set_up,
};

/// What was running when it failed.
enum class during {
    /// The code or the statement that a message is for. Whatever it raises, a message may be the cause.
    message,
    /// COMMIT, with the library's statements before it. Deferred constraints and triggers of messages speak here, too.
    commit,
    /// Statements of the library alone.
    own_statement,
};

[[nodiscard]] fault judge_failure(std::exception const& e, during what) noexcept;

/// What is known of the transaction that failed, beside the exception.
struct attempt_facts {
    during what = during::message;
    /// How many messages were tried in it.
    std::size_t messages = 1;
    /// The error ended the session: its severity was FATAL, which libpqxx does not tell.
    bool session_ended = false;
    /// Its time ran out before COMMIT: the watchdog has cut the connection, or the handler returned too late.
    bool out_of_time = false;
};

/// The same for messages that were tried together, and only once more for one that was tried alone: what is too much
/// then is that message's own fault, or the server's when the server said it.
[[nodiscard]] fault judge_attempt(std::exception const& e, attempt_facts const& facts) noexcept;

/// The same for an error of the server of which only the SQLSTATE is known.
[[nodiscard]] fault judge_sqlstate(std::string_view state, during what) noexcept;

/// Whether an error of a message's statement mostly means that statement, names or rights are wrong. A trigger may
/// raise these for one row, too, so it takes more than one message to conclude that.
[[nodiscard]] bool may_be_set_up(std::string_view state) noexcept;

/// Whether a worker waits and goes on after this fault, or ends: the promise of all run() functions.
[[nodiscard]] constexpr bool is_waited_out(fault what) noexcept {
    return what == fault::database || what == fault::conflict || what == fault::paused ||
           what == fault::another_reader || what == fault::too_much;
}

} // namespace once::detail
