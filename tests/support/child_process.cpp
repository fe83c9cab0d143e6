// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/child_process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern char** environ;

namespace once::testing {

child_process::child_process(std::vector<std::string> command) {
    std::array<int, 2> ends{};
    // Close-on-exec, so that children of other threads do not keep this pipe open.
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error{errno, std::generic_category(), "pipe2"};
    }
    std::array<int, 2> inputs{}; // a socket, so that writing to a dead child is no signal
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, inputs.data()) != 0) {
        throw std::system_error{errno, std::generic_category(), "socketpair"};
    }
    std::vector<char*> arguments;
    for (auto& argument : command) {
        arguments.push_back(argument.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, inputs[1], STDIN_FILENO);
    int const error = ::posix_spawn(&m_pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    ::close(inputs[1]);
    m_output = ends[0];
    m_input = inputs[0];
    if (error != 0) {
        ::close(m_output);
        ::close(m_input);
        throw std::system_error{error, std::generic_category(), "posix_spawn " + command[0]};
    }
}

child_process::~child_process() {
    if (m_pid > 0) {
        signal(SIGKILL);
        static_cast<void>(wait());
    }
}

void child_process::signal(int number) const noexcept {
    if (m_pid > 0) {
        ::kill(m_pid, number);
    }
}

std::string child_process::read_line() {
    std::string line;
    for (char c = 0;;) {
        auto const got = ::read(m_output, &c, 1);
        if (got == 0 || (got < 0 && errno != EINTR) || (got == 1 && c == '\n')) {
            return line;
        }
        if (got == 1) {
            line += c;
        }
    }
}

void child_process::write_line(std::string const& line) const {
    auto const text = line + '\n';
    static_cast<void>(::send(m_input, text.data(), text.size(), MSG_NOSIGNAL));
}

child_process::ending child_process::wait() {
    ending made;
    std::array<char, 4096> buffer{};
    for (;;) {
        auto const got = ::read(m_output, buffer.data(), buffer.size());
        if (got > 0) {
            made.output.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            break;
        }
    }
    ::close(m_output);
    ::close(m_input);
    while (::waitpid(m_pid, &made.status, 0) < 0 && errno == EINTR) {
    }
    m_pid = 0;
    return made;
}

bool child_process::stopped() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0 && info.si_code == CLD_STOPPED;
}

bool child_process::ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
}

bool child_process::ending::killed() const {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

bool child_process::ending::succeeded() const {
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace once::testing
