// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire_proxy.hpp"

#include "wire_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <list>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace once::testing {

namespace {

constexpr int own_port = 5432; // only a part of the socket's name

std::string socket_path(std::string const& folder, int port) {
    auto path = folder + "/.s.PGSQL." + std::to_string(port);
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        throw std::invalid_argument{"wire_proxy: the socket path " + path +
                                    " is too long; use a shorter folder"};
    }
    return path;
}

std::string make_folder() {
    std::string name = "/tmp/once-wire-XXXXXX"; // not TMPDIR: socket paths must be short
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::system_error{errno, std::generic_category(), "wire_proxy: no folder for the socket"};
    }
    std::filesystem::permissions(name, std::filesystem::perms{0755}); // a pooler runs as another user
    return name;
}

std::string quoted_value(std::string const& value) {
    std::string result = "'";
    for (char const c : value) {
        if (c == '\'' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result + "'";
}

} // namespace

struct wire_proxy::impl {
    detail::hub hub;
    std::string folder;
    std::string path;
    int listener = -1;
    std::array<int, 2> wake{-1, -1};

    mutable std::mutex mutex; ///< for what follows
    std::vector<std::shared_ptr<detail::ledger>> ledgers;
    std::list<detail::connection> live;

    std::thread acceptor;

    impl(wire_upstream const& upstream, wire_options const& options);
    impl(impl const&) = delete;
    impl& operator=(impl const&) = delete;
    ~impl();

    void open();
    void close_all();
    void accept_loop();
    void accept_one();
    void wake_all();
    template <typename Value>
    std::int64_t sum(Value const& value) const;
    std::shared_ptr<detail::ledger> find(int connection) const;
};

wire_proxy::impl::impl(wire_upstream const& upstream, wire_options const& options) {
    hub.upstream_path = socket_path(upstream.host, upstream.port);
    hub.round_trip_ns = options.round_trip.count();
    hub.keep_trace = options.keep_trace;
    hub.trace_limit = options.trace_limit;
    // Contents of up to 64 KiB are read ahead of a decision, so less would stand still.
    hub.buffer_bytes = std::max(options.buffer_bytes, std::size_t{64} * 1024);
    folder = make_folder();
    try {
        path = socket_path(folder, own_port);
        open();
    } catch (...) {
        close_all();
        throw;
    }
    acceptor = std::thread{[this] { accept_loop(); }};
}

void wire_proxy::impl::open() {
    auto const check = [](int result, char const* what) {
        if (result < 0) {
            throw std::system_error{errno, std::generic_category(), std::string{"wire_proxy: "} + what};
        }
    };
    check(::pipe2(wake.data(), O_CLOEXEC | O_NONBLOCK), "no pipe");
    listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(listener, "no socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    check(::bind(listener, reinterpret_cast<sockaddr const*>(&address), sizeof address), "cannot bind");
    check(::listen(listener, 128), "cannot listen");
    std::filesystem::permissions(path, std::filesystem::perms{0777});
}

void wire_proxy::impl::close_all() {
    for (int const fd : {listener, wake[0], wake[1]}) {
        if (fd >= 0) {
            ::close(fd);
        }
    }
    ::unlink(path.c_str());
    ::rmdir(folder.c_str());
}

wire_proxy::impl::~impl() {
    hub.stopping = true;
    char const byte = 0;
    static_cast<void>(!::write(wake[1], &byte, 1));
    acceptor.join();
    wake_all();
    live.clear(); // joins their threads
    close_all();
}

void wire_proxy::impl::wake_all() {
    std::lock_guard const lock{mutex};
    for (auto const& c : live) {
        c.wake();
    }
}

void wire_proxy::impl::accept_loop() {
    while (!hub.stopping) {
        std::array<pollfd, 2> polled{{{listener, POLLIN, 0}, {wake[0], POLLIN, 0}}};
        if (::poll(polled.data(), polled.size(), -1) > 0 && polled[0].revents != 0) {
            accept_one();
        }
    }
}

void wire_proxy::impl::accept_one() {
    int const fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    std::list<detail::connection> ended; // joined without the lock: a rule in them may want it
    std::lock_guard const lock{mutex};
    for (auto it = live.begin(); it != live.end();) {
        auto const next = std::next(it);
        if (it->finished()) {
            ended.splice(ended.end(), live, it);
        }
        it = next;
    }
    auto counts = std::make_shared<detail::ledger>();
    ledgers.push_back(counts);
    auto const number = static_cast<int>(ledgers.size());
    try {
        live.emplace_back(hub, counts, number, fd);
    } catch (std::exception const& e) {
        hub.fault(number, e.what());
        hub.closed(*counts);
    }
}

std::shared_ptr<detail::ledger> wire_proxy::impl::find(int connection) const {
    std::lock_guard const lock{mutex};
    if (connection < 1 || static_cast<std::size_t>(connection) > ledgers.size()) {
        throw std::out_of_range{"wire_proxy: there is no connection number " + std::to_string(connection)};
    }
    return ledgers[static_cast<std::size_t>(connection) - 1];
}

template <typename Value>
std::int64_t wire_proxy::impl::sum(Value const& value) const {
    std::lock_guard const lock{mutex};
    std::int64_t total = 0;
    for (auto const& l : ledgers) {
        total += value(*l);
    }
    return total;
}

wire_proxy::wire_proxy(wire_upstream upstream, // NOLINT(performance-unnecessary-value-param): once per test
                       wire_options options)
    : m_impl{std::make_unique<impl>(upstream, options)} {}

wire_proxy::~wire_proxy() = default;

std::string wire_proxy::dsn_host() const {
    return m_impl->folder;
}

int wire_proxy::dsn_port() const {
    return own_port;
}

std::string wire_proxy::dsn(std::string const& dbname, std::string const& user) const {
    return "host=" + quoted_value(dsn_host()) + " port=" + std::to_string(dsn_port()) +
           " dbname=" + quoted_value(dbname) + " user=" + quoted_value(user);
}

void wire_proxy::add(rule decide) {
    std::lock_guard const lock{m_impl->hub.mutex};
    auto changed = *m_impl->hub.rules;
    changed.push_back(std::move(decide));
    m_impl->hub.rules = std::make_shared<std::vector<rule> const>(std::move(changed));
}

trigger wire_proxy::add(trigger t) {
    add(rule{t});
    return t;
}

void wire_proxy::clear_rules() {
    std::lock_guard const lock{m_impl->hub.mutex};
    m_impl->hub.rules = std::make_shared<std::vector<rule> const>();
}

void wire_proxy::release() {
    ++m_impl->hub.release_epoch;
    m_impl->wake_all();
}

void wire_proxy::release_held() {
    ++m_impl->hub.held_epoch;
    m_impl->wake_all();
}

void wire_proxy::set_round_trip(std::chrono::nanoseconds round_trip) {
    m_impl->hub.round_trip_ns = round_trip.count();
}

std::vector<event> wire_proxy::trace() const {
    std::lock_guard const lock{m_impl->hub.mutex};
    return {m_impl->hub.trace.begin(), m_impl->hub.trace.end()};
}

std::vector<event> wire_proxy::trace(int connection) const {
    auto events = trace();
    std::erase_if(events, [&](event const& e) { return e.connection != connection; });
    return events;
}

void wire_proxy::clear_trace() {
    std::lock_guard const lock{m_impl->hub.mutex};
    m_impl->hub.trace.clear();
}

std::optional<event> wire_proxy::wait_for(std::function<bool(event const&)> const& is_it,
                                          std::chrono::milliseconds timeout) const {
    auto const& hub = m_impl->hub;
    std::optional<event> found;
    std::uint64_t seen = 0;
    std::unique_lock lock{hub.mutex};
    hub.changed.wait_for(lock, timeout, [&] {
        for (auto const& e : hub.trace) {
            if (e.sequence >= seen && is_it(e)) {
                found = e;
                return true;
            }
        }
        seen = hub.next_sequence;
        return false;
    });
    return found;
}

bool wire_proxy::wait_closed(int connection, std::chrono::milliseconds timeout) const {
    auto const counts = m_impl->find(connection);
    std::unique_lock lock{m_impl->hub.mutex};
    return m_impl->hub.changed.wait_for(lock, timeout, [&] { return !counts->open; });
}

int wire_proxy::connections() const {
    std::lock_guard const lock{m_impl->mutex};
    return static_cast<int>(m_impl->ledgers.size());
}

int wire_proxy::open_connections() const {
    return static_cast<int>(m_impl->sum([](auto const& l) { return l.open ? 1 : 0; }));
}

int wire_proxy::cancel_requests() const {
    return static_cast<int>(m_impl->sum([](auto const& l) { return l.cancel ? 1 : 0; }));
}

int wire_proxy::backend_pid(int connection) const {
    return m_impl->find(connection)->backend_pid;
}

std::int64_t wire_proxy::round_trips(int connection) const {
    return m_impl->find(connection)->trips;
}

std::int64_t wire_proxy::round_trips() const {
    return m_impl->sum([](auto const& l) { return l.trips.load(); });
}

std::int64_t wire_proxy::client_flights(int connection) const {
    return m_impl->find(connection)->flights;
}

std::int64_t wire_proxy::client_flights() const {
    return m_impl->sum([](auto const& l) { return l.flights.load(); });
}

std::int64_t wire_proxy::startup_round_trips(int connection) const {
    return m_impl->find(connection)->startup_trips;
}

std::int64_t wire_proxy::startup_round_trips() const {
    return m_impl->sum([](auto const& l) { return l.startup_trips.load(); });
}

void wire_proxy::reset_counters() {
    std::lock_guard const lock{m_impl->mutex};
    for (auto const& l : m_impl->ledgers) {
        l->trips = 0;
        l->flights = 0;
        l->startup_trips = 0;
    }
}

std::vector<std::string> wire_proxy::faults() const {
    std::lock_guard const lock{m_impl->hub.mutex};
    return m_impl->hub.faults;
}

} // namespace once::testing
