// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>

#include <mutex>
#include <string>

namespace demo {

/// The way from a client process to the one that started it: a pipe with a line of JSON for each event.
/**
 * An event is in the pipe when `send` returns, and stays there when the process is killed.
 * @par Thread safety
 * Safe.
 */
class event_pipe {
public:
    /// In a process that `child_process` started. It ends together with the process that started it, so that nobody
    /// is left behind when the demonstration is interrupted.
    [[nodiscard]] static event_pipe to_parent();

    void send(nlohmann::json const& event);

private:
    explicit event_pipe(int descriptor) : m_descriptor{descriptor} {}

    std::mutex m_mutex;
    int m_descriptor;
};

} // namespace demo
