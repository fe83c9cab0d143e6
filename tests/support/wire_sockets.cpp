// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/sockios.h>
#include <sys/prctl.h>
#endif

/** @file
 * The sockets of a connection: reading, writing, waiting, closing.
 */
namespace once::testing::detail {

namespace {

constexpr std::size_t read_bytes = std::size_t{64} * 1024;
constexpr std::chrono::milliseconds single_byte_patience{20};
constexpr std::chrono::microseconds single_byte_poll{20};

/// Whether the peer has closed both of its directions, not only shut down its writing.
bool is_gone(int fd) {
    pollfd p{fd, 0, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/// Whether the peer has taken everything; true where the system does not tell.
bool is_taken(int fd) {
#ifdef SIOCOUTQ
    int pending = 0;
    return ::ioctl(fd, SIOCOUTQ, &pending) != 0 || pending == 0;
#else
    static_cast<void>(fd);
    return true;
#endif
}

int pid_of_peer(int fd) {
#ifdef SO_PEERCRED
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
        return who.pid;
    }
#endif
    return 0;
}

} // namespace

connection::connection(hub& shared, std::shared_ptr<ledger> counts, int number, int client_fd)
    : m_hub{shared}, m_counts{std::move(counts)}, m_number{number}, m_buffer(read_bytes) {
    m_fds[client] = client_fd;
    m_lanes[1].direction = wire_direction::to_client;
    m_lanes[1].source = server;
    m_lanes[1].sink = client;
    m_counts->client_pid = pid_of_peer(client_fd);
    if (::pipe2(m_wake.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        close_side(client);
        throw std::runtime_error{"wire_proxy: no pipe for a connection"};
    }
    m_thread = std::thread{[this] { run(); }};
}

connection::~connection() {
    m_thread.join();
    ::close(m_wake[0]);
    ::close(m_wake[1]);
}

void connection::wake() const {
    char const byte = 0;
    // A full pipe is as good: the thread will wake up.
    static_cast<void>(!::write(m_wake[1], &byte, 1));
}

bool connection::connect_upstream() {
    int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    m_fds[server] = fd;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, m_hub.upstream_path.c_str(), m_hub.upstream_path.size() + 1);
    int result = 0;
    do {
        result = ::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address);
    } while (result != 0 && errno == EINTR);
    return result == 0 && ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

void connection::run() {
#ifdef PR_SET_TIMERSLACK
    ::prctl(PR_SET_TIMERSLACK, 1UL); // the default of 50 us would be felt in the latency
#endif
    if (!connect_upstream()) {
        m_hub.fault(m_number, "no connection to " + m_hub.upstream_path + ": " + std::strerror(errno));
        m_done = true;
    }
    while (!m_done) {
        step(steady::now());
        if (!m_done) {
            wait_and_read();
        }
    }
    close_side(client);
    close_side(server);
    m_hub.closed(*m_counts);
}

void connection::close_side(side s) {
    if (m_fds[s] >= 0) {
        // A process that was forked from this one holds the socket too; shutdown() ends it for all.
        ::shutdown(m_fds[s], SHUT_RDWR);
        ::close(m_fds[s]);
        m_fds[s] = -1;
    }
}

void connection::handle_end(lane& l) {
    l.end_handled = true;
    if (!l.dropping) {
        l.out.append(l.ready.view()); // the beginning of a message that will never be complete
    }
    l.ready.clear();
    if (l.swallowed) {
        return;
    }
    l.shut_sink = true;
    if (m_fds[l.source] < 0 || is_gone(m_fds[l.source])) {
        begin_close();
    }
}

bool connection::flush(lane& l, steady::time_point now) {
    bool any = false;
    int const fd = m_fds[l.sink];
    while (!l.out.empty()) {
        if (fd < 0) {
            l.out.clear();
            break;
        }
        if (l.single && !is_taken(fd) && now < l.single_until) {
            return any;
        }
        auto const bytes = l.single ? l.out.view().substr(0, 1) : l.out.view();
        auto const sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            l.out.consume(static_cast<std::size_t>(sent));
            any = true;
            l.single_until = now + single_byte_patience;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return any;
        } else if (errno != EINTR) {
            // The reader is gone. Its own last words may still be on their way, so their end decides, not this.
            l.out.clear();
            l.dropping = true;
        }
    }
    if (m_zombie && l.sink == client) {
        close_side(client);
        lane_to(server).source_ended = true;
        lane_to(server).end_handled = true;
    } else if (l.shut_sink && !l.sink_shut && fd >= 0) {
        ::shutdown(fd, SHUT_WR);
        l.sink_shut = true;
    }
    return any;
}

bool connection::wants_input(lane const& l) const {
    return !m_draining && !l.source_ended && m_fds[l.source] >= 0 && !(m_zombie && l.source == client) &&
           l.line_bytes + l.ready.size() < m_hub.buffer_bytes;
}

steady::time_point connection::next_deadline() const {
    auto first = steady::time_point::max();
    auto const consider = [&](steady::time_point t) { first = std::min(first, t); };
    for (auto const& l : m_lanes) {
        if (!l.line.empty()) {
            consider(l.line.front().first);
        } else if (l.source_ended && !l.end_handled && l.end_due > m_now) {
            consider(l.end_due);
        }
        if (l.waits_for == gate::time && l.gate_time > m_now) {
            consider(l.gate_time);
        }
        if (l.single && !l.out.empty()) {
            consider(m_now + single_byte_poll);
        }
    }
    if (m_draining || (m_zombie && m_fds[client] >= 0)) {
        consider(m_drain_until);
    }
    return first;
}

void connection::wait_and_read() {
    std::array<pollfd, 3> polled{};
    for (auto const s : {client, server}) {
        auto const& incoming = m_lanes[s];
        auto const& outgoing = lane_to(s);
        short const events = static_cast<short>((wants_input(incoming) ? POLLIN : 0) |
                                                (!outgoing.out.empty() && !outgoing.single ? POLLOUT : 0));
        // A hung-up socket that nobody wants anything of would make poll() return for ever.
        polled[s] = {events != 0 ? m_fds[s] : -1, events, 0};
    }
    polled[2] = {m_wake[0], POLLIN, 0};

    auto const now = steady::now();
    auto const deadline = next_deadline();
    timespec timeout{};
    if (deadline > now && deadline != steady::time_point::max()) {
        auto const left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - now).count();
        timeout.tv_sec = static_cast<time_t>(left / 1'000'000'000);
        timeout.tv_nsec = static_cast<long>(left % 1'000'000'000);
    }
    if (::ppoll(polled.data(), polled.size(), deadline == steady::time_point::max() ? nullptr : &timeout,
                nullptr) <= 0) {
        return; // time is up, or a signal came: step() looks again
    }
    if (polled[2].revents != 0) {
        std::array<char, 64> ignored{};
        while (::read(m_wake[0], ignored.data(), ignored.size()) > 0) {
        }
    }
    for (auto& l : m_lanes) {
        if (polled[l.source].revents != 0 && wants_input(l)) {
            read_from(l);
        }
    }
}

void connection::read_from(lane& l) {
    auto const count = ::recv(m_fds[l.source], m_buffer.data(), m_buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    std::chrono::nanoseconds const half{m_hub.round_trip_ns / 2};
    auto const due = steady::now() + half;
    if (count <= 0) {
        l.source_ended = true;
        l.end_due = due;
        return;
    }
    std::string_view const bytes{m_buffer.data(), static_cast<std::size_t>(count)};
    if (l.source == client && m_last != last_data::from_client) {
        m_last = last_data::from_client;
        if (m_started) {
            ++m_counts->flights;
        }
    }
    if (half.count() == 0 && l.line.empty()) {
        l.ready.append(bytes);
    } else {
        l.line.emplace_back(due, bytes);
        l.line_bytes += bytes.size();
    }
}

} // namespace once::testing::detail
