// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

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

/// A small HTTP server for pages that machines ask for: metrics, health.
/**
 * Two requests at a time; whoever comes third waits. It serves from construction to destruction.
 */
class http_server {
public:
    using handler = std::function<http_page()>;

    /// @param address host:port, for example 127.0.0.1:9187 or [::1]:9187; port 0 takes a free one
    /// @throws std::invalid_argument when it is no address, std::runtime_error when it cannot listen there
    explicit http_server(std::string const& address);
    ~http_server();
    http_server(http_server const&) = delete;
    http_server& operator=(http_server const&) = delete;

    /// Answers GET `path`. Before `start`. The handler is called from several threads; what it throws becomes a 500.
    void on(std::string const& path, handler answer);
    void start();

    /// For example http://127.0.0.1:9187
    [[nodiscard]] std::string const& url() const noexcept { return m_url; }

private:
    struct state;
    std::unique_ptr<state> m_state;
    std::string m_url;
};

} // namespace once::command
