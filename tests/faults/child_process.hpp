// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace once::testing {

/// A program that runs beside the test, with its standard output caught.
class child_process {
public:
    /// @param command the program's path and its arguments
    /// @throws std::system_error when it cannot be started
    explicit child_process(std::vector<std::string> command);
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;
    /// Kills it, if it is still there.
    ~child_process();

    struct ending {
        /// What waitpid() says.
        int status = 0;
        std::string output{};
        [[nodiscard]] bool killed() const;
        [[nodiscard]] bool succeeded() const;
    };
    [[nodiscard]] pid_t pid() const noexcept { return m_pid; }
    void signal(int number) const;
    /// Whether SIGSTOP has reached it.
    [[nodiscard]] bool stopped() const;
    /// Whether it has ended; it is still to be waited for.
    [[nodiscard]] bool ended() const;
    /// Waits for its end. Once only.
    [[nodiscard]] ending wait();

private:
    pid_t m_pid = 0;
    int m_output = -1;
};

} // namespace once::testing
