// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <atomic>

namespace once::command {

/// What SIGHUP means: a stop in good order, like SIGTERM, unless a command has a file that it opens anew.
/**
 * The program waits for signals in a thread of its own (main.cpp), so that nothing here runs in a handler.
 */
struct hangup {
    /// A command that writes a log file sets it.
    static inline std::atomic<bool> reopens_file = false;
    /// How often it has come since.
    static inline std::atomic<unsigned> count = 0;
};

} // namespace once::command
