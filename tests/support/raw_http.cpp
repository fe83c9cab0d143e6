// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/raw_http.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace once::testing {

raw_http::raw_http(int port) : m_socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (m_socket < 0 || ::connect(m_socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        int const error = errno;
        ::close(m_socket);
        throw std::system_error{error, std::generic_category(), "connect"};
    }
    timeval const patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(m_socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

raw_http::~raw_http() {
    ::close(m_socket);
}

void raw_http::send(std::string const& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
        auto const n = ::send(m_socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n < 0) {
            return;
        }
        sent += static_cast<std::size_t>(n);
    }
}

std::string raw_http::receive_all() const {
    std::string answer;
    std::array<char, 4096> buffer{};
    for (;;) {
        auto const got = ::recv(m_socket, buffer.data(), buffer.size(), 0);
        if (got <= 0) {
            return answer;
        }
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

std::string raw_http::exchange(int port, std::string const& bytes) {
    raw_http const client{port};
    client.send(bytes);
    return client.receive_all();
}

std::string post(std::string const& target, std::vector<std::pair<std::string, std::string>> const& headers,
                 std::string const& body) {
    std::string made = "POST " + target +
                       " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n";
    for (auto const& [name, value] : headers) {
        made += name;
        made += ": ";
        made += value;
        made += "\r\n";
    }
    return made + "\r\n" + body;
}

int status_of(std::string const& answer) {
    constexpr std::string_view start{"HTTP/1.1 "};
    return answer.starts_with(start) ? std::atoi(answer.c_str() + start.size()) : 0;
}

std::string body_of(std::string const& answer) {
    auto const end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
}

} // namespace once::testing
