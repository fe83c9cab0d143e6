// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace once::testing {

/// A program that runs beside the test, with its standard input and output at the test's hands.
class child_process {
public:
    /// @param command the program's path and its arguments
    /// @throws std::system_error when it cannot be started
    explicit child_process(std::vector<std::string> command);
    child_process(child_process const&) = delete;
    child_process& operator=(child_process const&) = delete;
    /// Kills it, if it is still there.
    ~child_process();

    [[nodiscard]] pid_t pid() const noexcept { return m_pid; }
    /// Sends it a signal, if it is still there.
    void signal(int number) const noexcept;
    /// The next line that it prints, waited for; shorter at its end.
    [[nodiscard]] std::string read_line();
    /// Gives it a line to read. No error when it is gone.
    void write_line(std::string const& line) const;

    struct ending {
        /// What waitpid() says.
        int status = 0;
        std::string output{};
        [[nodiscard]] bool killed() const;
        [[nodiscard]] bool succeeded() const;
    };
    /// Whether SIGSTOP has reached it.
    [[nodiscard]] bool stopped() const;
    /// Whether it has ended; it is still to be waited for.
    [[nodiscard]] bool ended() const;
    /// Waits for its end. Once only.
    [[nodiscard]] ending wait();

private:
    pid_t m_pid = 0;
    int m_input = -1;
    int m_output = -1;
};

} // namespace once::testing
