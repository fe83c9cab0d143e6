// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <exception>
#include <string>

namespace once::detail {

/// Whose fault an exception is that ended the transaction of a consumer.
enum class fault {
    /// The message's, or its handler's: an attempt has failed.
    message,
    /// The message's, and no further attempt is wanted.
    rejected,
    /// Somebody was faster: the same again.
    conflict,
    /// Nobody can do anything at present: the connection, the server, the disk.
    surroundings,
    /// Another reader is at work.
    another_reader,
    /// The subscription is paused or expired.
    paused,
    /// The program's: it has to end.
    program,
};

/// @param in_handler whether it came out of the handler; else it came from the library's own statements or from COMMIT
[[nodiscard]] fault judge_failure(std::exception const& e, bool in_handler) noexcept;

} // namespace once::detail
