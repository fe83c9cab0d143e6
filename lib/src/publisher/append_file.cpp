// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "publisher/append_file.hpp"

#include "connection/poll_timeout.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

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

bool last_byte_is_no_line_break(std::string const& path, off_t size) {
    int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return true; // not ours to read: an empty line more does no harm
    }
    char last = 0;
    bool const known = ::pread(file, &last, 1, size - 1) == 1;
    ::close(file);
    return !known || last != '\n';
}

} // namespace

std::string append_file::open(std::string const& path, unsigned mode, bool durable) {
    close();
    // Non-blocking: a FIFO that nobody reads must not hold us past the deadline.
    m_file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                    static_cast<mode_t>(mode));
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
    if (m_regular) { // of anything else only we know what was written
        m_ends_within_line = facts.st_size > 0 && last_byte_is_no_line_break(path, facts.st_size);
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

append_file::written append_file::write(std::string_view bytes,
                                        std::chrono::steady_clock::time_point deadline) {
    no_sigpipe const quiet;
    written made;
    while (made.bytes < bytes.size()) {
        auto const got = ::write(m_file, bytes.data() + made.bytes, bytes.size() - made.bytes);
        if (got > 0) {
            made.bytes += static_cast<std::size_t>(got);
            m_ends_within_line = bytes[made.bytes - 1] != '\n';
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
