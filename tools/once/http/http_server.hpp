// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace once::command {

/// What a page answers.
struct http_page {
    int status = 200;
    std::string body{};
    std::string content_type = "text/plain; charset=utf-8";
};

/// What one client, and all of them together, may cost.
struct http_limits {
    /// Open at once. One more, and the oldest that has not finished its request is closed: a probe always gets in.
    std::size_t connections = 256;
    /// Request line and headers. Bodies are never kept.
    std::size_t head_bytes = 8 * 1024;
    /// For a request to arrive, and for an answer to be taken.
    std::chrono::milliseconds patience{5'000};
};

/// A small HTTP server for pages that machines ask for: metrics, health.
/**
 * One thread reads the requests of all clients, waits for none of them, and answers what costs nothing. What takes time
 * is made by a thread of its own for each page, once for all who ask meanwhile. So neither a client nor a slow database
 * can keep a probe from being answered, and neither can make the process grow. Every answer ends its connection.
 *
 * It serves from `start` to destruction.
 */
class http_server {
public:
    using handler = std::function<http_page()>;

    /// @param address host:port, for example 127.0.0.1:9187 or [::1]:9187; port 0 takes a free one
    /// @throws std::invalid_argument when it is no address, std::runtime_error when it cannot listen there
    explicit http_server(std::string const& address, http_limits limits = {});
    ~http_server();
    http_server(http_server const&) = delete;
    http_server& operator=(http_server const&) = delete;

    /// Answers GET `path`, at once: `answer` must not wait for anything.
    /// @param about what the page at / says of it
    void on(std::string const& path, std::string const& about, handler answer);

    /// Answers GET `path` by what `answer` says, which may wait; after `patience` by `late`.
    void on_slow(std::string const& path, std::string const& about, handler answer,
                 std::chrono::milliseconds patience, http_page late);

    /// No page is added afterwards.
    void start();

    /// For example http://127.0.0.1:9187
    [[nodiscard]] std::string const& url() const noexcept { return m_url; }

private:
    class loop;
    std::unique_ptr<loop> m_loop;
    std::string m_url;
};

} // namespace once::command
