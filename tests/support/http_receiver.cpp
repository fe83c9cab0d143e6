// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/http_receiver.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace once::testing {

namespace {

[[noreturn]] void fail(char const* call) {
    throw std::system_error{errno, std::generic_category(), call};
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        auto const sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// Reads requests from one connection.
class request_reader {
public:
    explicit request_reader(int socket) : m_socket{socket} {}

    std::optional<http_request> next() {
        std::size_t head_end = 0;
        while ((head_end = m_buffer.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) {
                return std::nullopt;
            }
        }
        http_request made = parse_head(std::string_view{m_buffer}.substr(0, head_end + 2));
        auto const length = made.header("content-length");
        std::size_t const wanted = head_end + 4 + (length.empty() ? 0 : std::stoul(length));
        while (m_buffer.size() < wanted) {
            if (!more()) {
                return std::nullopt;
            }
        }
        made.body = m_buffer.substr(head_end + 4, wanted - head_end - 4);
        m_buffer.erase(0, wanted);
        return made;
    }

private:
    static http_request parse_head(std::string_view head) {
        http_request made;
        for (std::size_t at = 0; at < head.size();) {
            auto const end = head.find("\r\n", at);
            auto const line = head.substr(at, end - at);
            at = end + 2;
            if (made.line.empty()) {
                made.line = line;
                continue;
            }
            auto const colon = line.find(':');
            auto const value = line.substr(std::min(colon + 1, line.size()));
            auto const start = std::min(value.find_first_not_of(' '), value.size());
            made.headers.emplace(lower(std::string{line.substr(0, colon)}), value.substr(start));
        }
        return made;
    }

    bool more() {
        std::array<char, 16384> chunk{};
        auto const got = ::recv(m_socket, chunk.data(), chunk.size(), 0);
        if (got > 0) {
            m_buffer.append(chunk.data(), static_cast<std::size_t>(got));
        }
        return got > 0;
    }

    int m_socket;
    std::string m_buffer;
};

} // namespace

std::string http_request::header(std::string const& name) const {
    auto const found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
}

std::string http_request::id() const {
    auto const value = header("idempotency-key");
    return value.size() < 2 ? value : value.substr(1, value.size() - 2);
}

http_receiver::http_receiver(std::uint16_t port)
    : m_script{[](http_request const&) { return http_answer{}; }}, m_port{port} {
    listen();
}

http_receiver::~http_receiver() {
    go_away();
}

std::string http_receiver::url(std::string const& path) const {
    return "http://127.0.0.1:" + std::to_string(m_port) + path;
}

void http_receiver::set_script(script wanted) {
    std::lock_guard const lock{m_mutex};
    m_script = std::move(wanted);
}

void http_receiver::listen() {
    int const listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int const on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(m_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener < 0 || ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 512) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        fail("listen on 127.0.0.1");
    }
    m_port = ntohs(address.sin_port);
    m_listener = listener;
    m_acceptor = std::thread{[this, listener] { accept_all(listener); }};
}

void http_receiver::accept_all(int listener) {
    for (;;) {
        int const socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) {
            return;
        }
        int const on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        std::lock_guard const lock{m_mutex};
        m_sockets.push_back(socket);
        m_threads.emplace_back([this, socket, number = ++m_connections] { serve(socket, number); });
    }
}

void http_receiver::serve(int socket, int number) {
    request_reader requests{socket};
    for (bool open = true; open;) {
        auto request = requests.next();
        if (!request) {
            break;
        }
        request->connection = number;
        int const now = ++m_at_once;
        for (int most = m_most_at_once; now > most && !m_most_at_once.compare_exchange_weak(most, now);) {
        }
        http_answer how;
        {
            std::lock_guard const lock{m_mutex};
            how = m_script(*request);
            m_requests.push_back(std::move(*request));
        }
        m_changed.notify_all();
        open = answer(socket, how);
        --m_at_once;
    }
    ::shutdown(socket, SHUT_RDWR);
}

bool http_receiver::answer(int socket, http_answer const& how) {
    if (how.delay.count() > 0 || how.sent == http_answer::how::silent) {
        std::unique_lock lock{m_mutex};
        if (how.sent == http_answer::how::silent) {
            m_changed.wait(lock, [this] { return m_away; });
        } else {
            m_changed.wait_for(lock, how.delay, [this] { return m_away; });
        }
    }
    auto text = "HTTP/1.1 " + std::to_string(how.status) + " Scripted\r\n";
    switch (how.sent) {
    case http_answer::how::torn:
        send_all(socket, text.substr(0, 7));
        return false;
    case http_answer::how::lost:
    case http_answer::how::silent:
        return false;
    case http_answer::how::whole:
        break;
    }
    for (auto const& [name, value] : how.headers) {
        text.append(name).append(": ").append(value).append("\r\n");
    }
    if (how.status != 204) {
        text += "Content-Length: " + std::to_string(how.body.size()) + "\r\n";
    }
    return send_all(socket, text + "\r\n" + how.body);
}

void http_receiver::go_away() {
    {
        std::lock_guard const lock{m_mutex};
        if (m_away) {
            return;
        }
        m_away = true;
    }
    m_changed.notify_all();
    ::shutdown(m_listener, SHUT_RDWR);
    m_acceptor.join();
    ::close(m_listener);
    std::vector<std::thread> threads;
    {
        std::lock_guard const lock{m_mutex};
        for (int const socket : m_sockets) {
            ::shutdown(socket, SHUT_RDWR);
        }
        threads.swap(m_threads);
    }
    for (auto& thread : threads) {
        thread.join();
    }
    std::lock_guard const lock{m_mutex};
    for (int const socket : m_sockets) {
        ::close(socket);
    }
    m_sockets.clear();
}

void http_receiver::come_back() {
    {
        std::lock_guard const lock{m_mutex};
        m_away = false;
    }
    listen();
}

std::vector<http_request> http_receiver::requests() const {
    std::lock_guard const lock{m_mutex};
    return m_requests;
}

std::size_t http_receiver::request_count() const {
    std::lock_guard const lock{m_mutex};
    return m_requests.size();
}

} // namespace once::testing
