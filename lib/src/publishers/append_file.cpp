// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publishers/append_file.hpp"

#include "database/poll_timeout.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace once::detail {

namespace {

std::string reason(char const* call, int error) {
    return std::string{call} + ": " + std::generic_category().message(error);
}

/// Keeps SIGPIPE from this thread, and eats one that came meanwhile: writing to a FIFO whose reader has gone raises it.
class no_sigpipe {
public:
    no_sigpipe() {
        ::sigemptyset(&m_pipe);
        ::sigaddset(&m_pipe, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        m_was_pending = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &m_pipe, &m_before);
    }
    ~no_sigpipe() {
        sigset_t pending;
        ::sigpending(&pending);
        if (!m_was_pending && ::sigismember(&pending, SIGPIPE) == 1) {
            timespec const at_once{};
            while (::sigtimedwait(&m_pipe, nullptr, &at_once) < 0 && errno == EINTR) {
            }
        }
        ::pthread_sigmask(SIG_SETMASK, &m_before, nullptr);
    }
    no_sigpipe(no_sigpipe const&) = delete;
    no_sigpipe(no_sigpipe&&) = delete;
    no_sigpipe& operator=(no_sigpipe const&) = delete;
    no_sigpipe& operator=(no_sigpipe&&) = delete;

private:
    sigset_t m_pipe{};
    sigset_t m_before{};
    bool m_was_pending = false;
};

std::string sync_directory(std::string const& path) {
    auto folder = std::filesystem::path{path}.parent_path();
    if (folder.empty()) {
        folder = ".";
    }
    int const directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return reason("open of the folder", errno);
    }
    int const error = ::fsync(directory) == 0 ? 0 : errno;
    ::close(directory);
    return error == 0 ? std::string{} : reason("fsync of the folder", error);
}

} // namespace

std::string append_file::open(std::string const& path, unsigned mode, bool durable) {
    close();
    m_torn = false;
    // Non-blocking: a FIFO that nobody reads must not hold us past the deadline.
    constexpr int how = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    m_file = ::open(path.c_str(), how, static_cast<mode_t>(mode));
    if (m_file < 0) {
        return reason("open", errno);
    }
    struct stat facts{};
    if (::fstat(m_file, &facts) != 0) {
        int const error = errno;
        close();
        return reason("fstat", error);
    }
    m_regular = S_ISREG(facts.st_mode);
    if (m_regular) {
        // The same file once more, to be read, too; not by its path, which may name another one by now. One that we may
        // not read gets an empty line now and then.
        int const both = ::open(("/proc/self/fd/" + std::to_string(m_file)).c_str(),
                                O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        m_readable = both >= 0;
        if (m_readable) {
            ::close(m_file);
            m_file = both;
        }
    }
    if (m_regular && durable && facts.st_size == 0) {
        if (auto error = sync_directory(path); !error.empty()) {
            close();
            return error;
        }
    }
    return {};
}

void append_file::close() noexcept {
    if (m_file >= 0) {
        ::close(m_file);
        m_file = -1;
    }
}

append_file::written append_file::write(std::string_view lines,
                                        std::chrono::steady_clock::time_point deadline) {
    if (auto error = lock(deadline); !error.empty()) {
        return {.error = std::move(error)};
    }
    written made;
    std::size_t const head = ends_within_line() ? 1 : 0;
    if (head == 0) {
        made = write_all(lines, deadline);
    } else {
        made = write_all('\n' + std::string{lines}, deadline);
        made.bytes -= std::min(made.bytes, head);
    }
    if (m_regular) {
        ::flock(m_file, LOCK_UN);
    }
    return made;
}

append_file::written append_file::write_all(std::string_view bytes,
                                            std::chrono::steady_clock::time_point deadline) {
    no_sigpipe const quiet;
    written made;
    while (made.bytes < bytes.size()) {
        auto const got = ::write(m_file, bytes.data() + made.bytes, bytes.size() - made.bytes);
        if (got > 0) {
            made.bytes += static_cast<std::size_t>(got);
            m_torn = bytes[made.bytes - 1] != '\n';
        } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
            made.error = reason("write", got == 0 ? EIO : errno);
            break;
        } else if (errno == EAGAIN) {
            pollfd ready{m_file, POLLOUT, 0};
            if (std::chrono::steady_clock::now() >= deadline) {
                break;
            }
            static_cast<void>(::poll(&ready, 1, poll_timeout(deadline)));
        }
    }
    return made;
}

bool append_file::ends_within_line() const {
    if (!m_regular) {
        return m_torn;
    }
    struct stat facts{};
    if (::fstat(m_file, &facts) == 0 && facts.st_size == 0) {
        return false;
    }
    char last = 0;
    return !m_readable || ::pread(m_file, &last, 1, facts.st_size - 1) != 1 || last != '\n';
}

// Its holder writes a chunk, and lets it go; a process that ends has let it go.
std::string append_file::lock(std::chrono::steady_clock::time_point deadline) const {
    while (m_regular && ::flock(m_file, LOCK_EX | LOCK_NB) != 0) {
        if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) {
            return {}; // no file system of ours: lines may be torn there when several write
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return reason("flock", errno);
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return "flock: another process held the lock on the file until the deadline";
        }
        static_cast<void>(::poll(nullptr, 0, 1));
    }
    return {};
}

std::string append_file::sync() {
    if (!m_regular) {
        return {};
    }
    while (::fdatasync(m_file) != 0) {
        if (errno != EINTR) {
            return reason("fdatasync", errno);
        }
    }
    return {};
}

} // namespace once::detail
