// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace once::testing {

/// One request as it came.
struct http_request {
    std::string line{};
    /// Names in lower case.
    std::multimap<std::string, std::string> headers{};
    std::string body{};
    /// Counts the connections of the receiver from 1.
    int connection = 0;

    /// Its first header of that name; empty when there is none.
    [[nodiscard]] std::string header(std::string const& name) const;
    /// What stands between the quotes of Idempotency-Key.
    [[nodiscard]] std::string id() const;
};

/// What the receiver does with one request.
struct http_answer {
    int status = 204;
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};
    /// Waits so long before it answers; ends early when the receiver is stopped.
    std::chrono::milliseconds delay{0};
    enum class how {
        whole,
        /// Works on the request and closes the connection without a word.
        lost,
        /// Closes in the middle of the status line.
        torn,
        /// Never answers; the connection stays open.
        silent,
    };
    how sent = how::whole;
};

/// A small HTTP/1.1 server on 127.0.0.1 that logs every request and answers as a script says.
/**
 * Thread safety: safe.
 */
class http_receiver {
public:
    /// Decides about a request; called from several threads, one at a time.
    using script = std::function<http_answer(http_request const&)>;

    /// Answers 204 to everything until it is told otherwise.
    /// @param port 0: any that is free
    /// @throws std::system_error when the port is taken
    explicit http_receiver(std::uint16_t port = 0);
    ~http_receiver();
    http_receiver(http_receiver const&) = delete;
    http_receiver& operator=(http_receiver const&) = delete;

    [[nodiscard]] std::string url(std::string const& path = "/hook") const;
    [[nodiscard]] std::uint16_t port() const noexcept { return m_port; }

    void set_script(script wanted);

    /// Closes the port and all connections; who connects is refused.
    void go_away();
    /// Listens again, on the same port.
    void come_back();

    /// All requests, in the order of their arrival. A request counts as arrived when it is complete.
    [[nodiscard]] std::vector<http_request> requests() const;
    [[nodiscard]] std::size_t request_count() const;
    /// Most requests that were under way at one moment.
    [[nodiscard]] int most_at_once() const { return m_most_at_once; }
    [[nodiscard]] int connections() const { return m_connections; }

private:
    void listen();
    void accept_all(int listener);
    void serve(int socket, int number);
    [[nodiscard]] bool answer(int socket, http_answer const& how);

    mutable std::mutex m_mutex;
    std::condition_variable m_changed;
    script m_script;
    std::vector<http_request> m_requests;
    std::vector<int> m_sockets;
    std::vector<std::thread> m_threads;
    std::thread m_acceptor;
    int m_listener = -1;
    std::uint16_t m_port = 0;
    bool m_away = false;
    std::atomic<int> m_connections{0};
    std::atomic<int> m_at_once{0};
    std::atomic<int> m_most_at_once{0};
};

} // namespace once::testing
