// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace once::detail {

/// A file, FIFO or device that is written at its end, with a deadline where that is possible.
/**
 * Of a regular file nothing is remembered: others write to it, too, and truncate it. Before each write its last byte is
 * looked at, under a lock (flock) that all writers of this class take. It must be on a local file system.
 */
class append_file {
public:
    append_file() = default;
    ~append_file() { close(); }
    append_file(append_file const&) = delete;
    append_file(append_file&&) = delete;
    append_file& operator=(append_file const&) = delete;
    append_file& operator=(append_file&&) = delete;

    [[nodiscard]] bool is_open() const noexcept { return m_file >= 0; }

    /// @return why it failed; empty: it is open. A regular file that is new has its directory entry on disk if
    /// `durable`.
    [[nodiscard]] std::string open(std::string const& path, unsigned mode, bool durable);
    void close() noexcept;

    struct written {
        std::size_t bytes = 0;
        /// Why not all: an error, or empty when the deadline came first.
        std::string error{};
    };
    /// Writes until all is written, an error, or the deadline; behind a line break, when what is there ends within a
    /// line. Raises no SIGPIPE.
    /// @return how many of `lines` were written
    [[nodiscard]] written write(std::string_view lines, std::chrono::steady_clock::time_point deadline);

    /// @return why it failed; empty: what was written is on disk, or this is nothing that can be.
    [[nodiscard]] std::string sync();

private:
    [[nodiscard]] bool ends_within_line() const;
    [[nodiscard]] std::string lock(std::chrono::steady_clock::time_point deadline) const;
    [[nodiscard]] written write_all(std::string_view bytes, std::chrono::steady_clock::time_point deadline);

    int m_file = -1;
    bool m_regular = false;
    // May be read, so that its last byte can be looked at.
    bool m_readable = false;
    // Of anything but a regular file: only we know what was written.
    bool m_torn = false;
};

} // namespace once::detail
