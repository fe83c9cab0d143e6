// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "http_server.hpp"

#include <atomic>
#include <charconv>
#include <cstdint>
#include <httplib.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <utility>

namespace once::command {

namespace {

std::pair<std::string, std::uint16_t> host_and_port(std::string const& address) {
    auto const colon = address.rfind(':');
    std::uint16_t port = 0;
    auto const* const begin = address.data() + (colon == std::string::npos ? 0 : colon + 1);
    auto const* const end = address.data() + address.size();
    auto const read = std::from_chars(begin, end, port);
    if (colon == std::string::npos || colon == 0 || read.ec != std::errc{} || read.ptr != end) {
        throw std::invalid_argument{"--listen: give HOST:PORT, for example 127.0.0.1:9187"};
    }
    auto host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    return {host, port};
}

} // namespace

struct http_server::state {
    httplib::Server server;
    std::thread thread;
    std::atomic<bool> ended = false;
};

http_server::http_server(std::string const& address) : m_state{std::make_unique<state>()} {
    auto const [host, wanted] = host_and_port(address);
    auto& server = m_state->server;
    server.new_task_queue = [] { return new httplib::ThreadPool(2); };
    // A client that keeps its connection must not hold up the end of the program.
    server.set_keep_alive_timeout(1);
    // Its own default, SO_REUSEPORT, lets a second process take the same port in silence.
    server.set_socket_options([](auto socket) {
        int const yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    int port = wanted;
    if (port == 0) {
        port = server.bind_to_any_port(host);
    } else if (!server.bind_to_port(host, port)) {
        port = -1;
    }
    if (port <= 0) {
        throw std::runtime_error{"--listen: cannot listen at " + address +
                                 ": is the port taken, or the address not of this machine?"};
    }
    m_url = "http://" + address.substr(0, address.rfind(':')) + ":" + std::to_string(port);
}

http_server::~http_server() {
    if (!m_state->thread.joinable()) {
        start(); // one that never ran keeps its port
    }
    m_state->server.stop();
    if (m_state->thread.joinable()) {
        m_state->thread.join();
    }
}

void http_server::on(std::string const& path, handler answer) {
    m_state->server.Get(path,
                        [answer = std::move(answer)](httplib::Request const&, httplib::Response& response) {
                            http_page page;
                            try {
                                page = answer();
                            } catch (std::exception const& e) {
                                page = {500, std::string{e.what()} + "\n"};
                            }
                            response.status = page.status;
                            response.set_content(page.body, page.content_type);
                        });
}

void http_server::start() {
    m_state->thread = std::thread{[this] {
        m_state->server.listen_after_bind();
        m_state->ended = true;
    }};
    while (!m_state->server.is_running() && !m_state->ended) {
        std::this_thread::yield(); // stop() does nothing before
    }
}

} // namespace once::command
