// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>

#include <csignal>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace demo {

/// A process of this program, and the events that it sends.
class child_process {
public:
    /// Starts this program with the arguments; its event pipe is descriptor 3.
    explicit child_process(std::vector<std::string> arguments);
    child_process(child_process&& other) noexcept;
    child_process& operator=(child_process&& other) noexcept;
    /// Ends it with SIGKILL when it is still there.
    ~child_process();

    /// For poll(): readable when there are events, or when it has ended.
    [[nodiscard]] int descriptor() const noexcept { return m_events; }

    /// Takes the events that are there now; false when there will be no more.
    bool read(std::function<void(nlohmann::json const&)> const& take);

    /// kill -9. Events that it had sent before can still be read.
    void kill() noexcept { send_signal(SIGKILL); }

    void send_signal(int signal) noexcept;

    /// Waits for its end: its exit code, or minus the signal that ended it.
    int wait() noexcept;

private:
    pid_t m_pid = 0;
    int m_events = -1;
    int m_status = 0;
    std::string m_unread;
};

/// Runs another program and waits for it; what it prints goes where our output goes.
/// @return its exit code
int run_program(std::vector<std::string> const& arguments);

} // namespace demo
