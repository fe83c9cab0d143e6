// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "child_process.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace demo {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (auto& text : texts) {
        all.push_back(text.data());
    }
    all.push_back(nullptr);
    return all;
}

int status_of(pid_t pid) noexcept {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void must(int error, char const* what) {
    if (error != 0) {
        throw std::system_error{error, std::generic_category(), what};
    }
}

} // namespace

child_process::child_process(std::vector<std::string> arguments) {
    constexpr int event_descriptor = 3;
    std::array<int, 2> ends{};
    must(::pipe2(ends.data(), O_CLOEXEC) == 0 ? 0 : errno, "pipe");
    arguments.insert(arguments.begin(), "order_service");
    auto argv = pointers(arguments);
    // posix_spawn and not fork: this process has threads.
    posix_spawn_file_actions_t actions{};
    must(::posix_spawn_file_actions_init(&actions), "posix_spawn");
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], event_descriptor);
    int const error = ::posix_spawn(&m_pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    m_events = ends[0];
    must(error, "posix_spawn");
    ::fcntl(m_events, F_SETFL, O_NONBLOCK);
}

child_process::child_process(child_process&& other) noexcept
    : m_pid{std::exchange(other.m_pid, 0)},
      m_events{std::exchange(other.m_events, -1)},
      m_status{other.m_status},
      m_unread{std::move(other.m_unread)} {}

child_process& child_process::operator=(child_process&& other) noexcept {
    std::swap(m_pid, other.m_pid);
    std::swap(m_events, other.m_events);
    std::swap(m_status, other.m_status);
    std::swap(m_unread, other.m_unread);
    return *this;
}

child_process::~child_process() {
    kill();
    wait();
    if (m_events >= 0) {
        ::close(m_events);
    }
}

bool child_process::read(std::function<void(nlohmann::json const&)> const& take) {
    std::array<char, 65536> buffer{};
    bool open = true;
    for (;;) {
        auto const got = ::read(m_events, buffer.data(), buffer.size());
        if (got > 0) {
            m_unread.append(buffer.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            open = false;
            break;
        } else if (errno != EINTR) {
            break;
        }
    }
    std::size_t begin = 0;
    for (auto end = m_unread.find('\n'); end != std::string::npos; end = m_unread.find('\n', begin)) {
        take(nlohmann::json::parse(m_unread.begin() + static_cast<std::ptrdiff_t>(begin),
                                   m_unread.begin() + static_cast<std::ptrdiff_t>(end)));
        begin = end + 1;
    }
    m_unread.erase(0, begin);
    return open;
}

void child_process::send_signal(int signal) noexcept {
    if (m_pid > 0) {
        ::kill(m_pid, signal);
    }
}

int child_process::wait() noexcept {
    if (m_pid > 0) {
        m_status = status_of(std::exchange(m_pid, 0));
    }
    return m_status;
}

int run_program(std::vector<std::string> const& arguments) {
    auto words = arguments;
    auto argv = pointers(words);
    pid_t pid = 0;
    must(::posix_spawnp(&pid, argv.front(), nullptr, nullptr, argv.data(), environ),
         arguments.front().c_str());
    return status_of(pid);
}

} // namespace demo
