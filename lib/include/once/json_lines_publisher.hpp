// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/publisher.hpp>

#include <atomic>
#include <iosfwd>
#include <memory>
#include <string>

namespace once {

namespace detail {
class append_file;
}

/// How a file of JSON lines is written.
struct json_lines_options {
    /// When a message counts as accepted.
    enum class durability {
        /// Once fsync() has returned for its batch: it outlives a crash of the machine.
        each_batch,
        /// Once write() has returned: it outlives a crash of the process.
        none,
    };
    durability flush = durability::each_batch;

    /// Permissions of a file that is made, before the umask. Payloads may be private.
    unsigned mode = 0640;
};

/// Writes each message as one line, a JSON object, to the end of a file, a FIFO or a stream.
/**
 * @code
 * {"id":"...","topic":"orders.placed","key":"A-17","time":"2026-11-24T22:06:11.000001Z","service":"orders",
 *  "headers":[["name","value"]],"traceparent":"00-...","content_type":"application/json","payload":{"order":"A-17"}}
 * @endcode
 * (in one line), and behind id a given_id when the application gave one. key, headers, traceparent and content_type are
 * left out when the message has none. A payload that is JSON stands under `payload`, as the exact text; one that is
 * not, or that has a line break between its tokens, stands under `payload_base64`. The same message gives the same line
 * at each attempt.
 *
 * Readers must expect a line twice, by its id, and skip a line that is not JSON: a write that a full disk or
 * a crash cut short stays as a torn line, and what follows begins on a line of its own.
 *
 * Several publishers, of one process or of many, may write to one file on a local file system: each takes a lock
 * (flock) for what it writes at a time, and begins on a line of its own even where another one tore the last. A FIFO
 * has one writer.
 *
 * @par Thread safety
 * One thread at a time, but for `reopen`.
 */
class ONCE_EXPORT json_lines_publisher final : public publisher {
public:
    /// Writes to the end of this file, which is opened at the first batch and made if it is not there.
    /// @throws once::invalid_argument when `path` is empty or contains a NUL
    explicit json_lines_publisher(std::string path, json_lines_options options = {});

    /// Writes to a stream that outlives the publisher, and flushes it once for each batch. `accepted` then means that
    /// the stream took it. A stream that fails once is not used again until its owner clears it.
    explicit json_lines_publisher(std::ostream& stream);

    ~json_lines_publisher() override;

    /// Opens the path anew before the next batch: for log rotation. Safe in any thread and in a signal handler.
    void reopen() noexcept { m_reopen.store(true); }

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         std::chrono::steady_clock::time_point deadline) override;

private:
    std::string m_path;
    json_lines_options m_options;
    std::ostream* m_stream = nullptr;
    std::unique_ptr<detail::append_file> m_file;
    std::atomic<bool> m_reopen{false};
};

/// The line that a `json_lines_publisher` writes for this message, without the line break.
/// @throws once::invalid_argument when a text is not UTF-8
[[nodiscard]] ONCE_EXPORT std::string json_line(delivery const& message);

} // namespace once
