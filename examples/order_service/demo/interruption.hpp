// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <stdexcept>

namespace demo {

/// Somebody pressed Ctrl-C, or asked this program to end in another way.
class interrupted : public std::runtime_error {
public:
    explicit interrupted(int signal);
    /// What shells expect: 128 and the number of the signal.
    [[nodiscard]] int exit_code() const noexcept { return 128 + m_signal; }

private:
    int m_signal;
};

/// From now on SIGINT, SIGTERM and SIGHUP do not end the program, so that it can clean up; they end waits early.
void remember_interruptions();

/// @throws interrupted when one of them has come
void throw_if_interrupted();

} // namespace demo
