// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "http/http_server.hpp"

#include "http/http_message.hpp"
#include "http/slow_page.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace once::command {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A client that still sends when it has got its answer would lose the answer if its bytes met a closed socket: so
// they are read and thrown away, for so long and so many.
constexpr milliseconds longest_linger{1'000};
constexpr std::size_t most_lingering_bytes = std::size_t{256} * 1024;
// Of those who knock at the same time; then the others have a turn.
constexpr int accepted_at_once = 32;

class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : m_number{number} {}
    ~descriptor() {
        if (m_number >= 0) {
            ::close(m_number);
        }
    }
    descriptor(descriptor&& other) noexcept : m_number{std::exchange(other.m_number, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(m_number, other.m_number);
        return *this;
    }
    descriptor(descriptor const&) = delete;
    descriptor& operator=(descriptor const&) = delete;
    [[nodiscard]] int number() const noexcept { return m_number; }

private:
    int m_number;
};

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

// A socket that listens at the first of the addresses that can be had.
descriptor listen_at(std::string const& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return descriptor{};
    }
    std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const all{found, &::freeaddrinfo};
    for (auto const* one = all.get(); one != nullptr; one = one->ai_next) {
        descriptor made{::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        // Not SO_REUSEPORT, which lets a second process take the same port in silence.
        int const yes = 1;
        if (made.number() >= 0 &&
            ::setsockopt(made.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
            ::bind(made.number(), one->ai_addr, one->ai_addrlen) == 0 &&
            ::listen(made.number(), SOMAXCONN) == 0) {
            return made;
        }
    }
    return descriptor{};
}

int port_of(int listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    std::array<char, NI_MAXSERV> text{};
    auto* const any = reinterpret_cast<sockaddr*>(&address); // NOLINT: sockets are like that
    if (::getsockname(listener, any, &size) != 0 ||
        ::getnameinfo(any, size, nullptr, 0, text.data(), text.size(), NI_NUMERICSERV) != 0) {
        return 0;
    }
    return std::atoi(text.data()); // NOLINT(cert-err34-c): digits
}

struct page_entry {
    std::string about;
    http_server::handler at_once{};
    std::unique_ptr<slow_page> slow{};
    milliseconds patience{0};
    http_page late{};
};

// One client, from its first byte to the end of its connection.
struct client {
    enum class stage { reading, waiting, writing, lingering };
    descriptor socket;
    stage now = stage::reading;
    clock::time_point until{};
    /// What it has sent, and later what it gets.
    std::string bytes{};
    std::size_t done = 0;
    bool head = false;
    page_entry* page = nullptr;
};

} // namespace

class http_server::loop {
public:
    loop(descriptor listener, http_limits limits)
        : m_limits{limits},
          m_listener{std::move(listener)},
          m_wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {}
    ~loop() {
        m_ending = true;
        wake();
        if (m_thread.joinable()) {
            m_thread.join();
        }
        m_pages.clear(); // their threads may wake us until then
    }
    loop(loop const&) = delete;
    loop& operator=(loop const&) = delete;

    page_entry& page(std::string const& path) { return m_pages[path]; }
    [[nodiscard]] std::map<std::string, page_entry> const& pages() const { return m_pages; }
    void wake() const {
        std::uint64_t const one = 1;
        static_cast<void>(::write(m_wake.number(), &one, sizeof one) == sizeof one);
    }
    void start() {
        m_thread = std::thread{[this] {
            while (!m_ending) {
                turn();
            }
        }};
    }

private:
    void turn() {
        std::vector<pollfd> asked{{m_listener.number(), POLLIN, 0}, {m_wake.number(), POLLIN, 0}};
        auto next = clock::now() + std::chrono::hours{1};
        for (auto const& one : m_clients) {
            // A client that waits for its page is not listened to: what it sends has time.
            short const events = one.now == client::stage::writing   ? POLLOUT
                                 : one.now == client::stage::waiting ? short{0}
                                                                     : POLLIN;
            asked.push_back({one.socket.number(), events, 0});
            next = std::min(next, one.until);
        }
        auto const pause = std::chrono::ceil<milliseconds>(next - clock::now()).count();
        ::poll(asked.data(), asked.size(), static_cast<int>(std::max<milliseconds::rep>(0, pause)));
        if (asked[1].revents != 0) {
            std::uint64_t count = 0;
            static_cast<void>(::read(m_wake.number(), &count, sizeof count) == sizeof count);
        }
        hand_out_pages();
        std::size_t place = 2;
        for (auto at = m_clients.begin(); at != m_clients.end(); ++place) {
            bool const stays = serve(*at, asked[place].revents != 0);
            at = stays ? std::next(at) : m_clients.erase(at);
        }
        if (asked[0].revents != 0) {
            accept_clients();
        }
    }

    void accept_clients() {
        for (int i = 0; i < accepted_at_once; ++i) {
            if (m_clients.size() >= m_limits.connections) {
                close_one();
            }
            descriptor socket{::accept4(m_listener.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
            if (socket.number() < 0) {
                bool const out_of_descriptors = errno == EMFILE || errno == ENFILE;
                if (!out_of_descriptors) {
                    return;
                }
                if (m_clients.empty()) {
                    std::this_thread::sleep_for(
                        milliseconds{10}); // others have them, and poll() would not wait
                    return;
                }
                close_one();
                continue;
            }
            m_clients.push_back({.socket = std::move(socket), .until = clock::now() + m_limits.patience});
            if (!serve(m_clients.back(), true)) { // most have sent their request already
                m_clients.pop_back();
            }
        }
    }

    // The oldest of those that are furthest from having asked for anything; they are in the order in which they came.
    void close_one() {
        using stage = client::stage;
        for (auto const what : {stage::lingering, stage::reading, stage::writing, stage::waiting}) {
            auto const found = std::ranges::find(m_clients, what, &client::now);
            if (found != m_clients.end()) {
                m_clients.erase(found);
                return;
            }
        }
    }

    void hand_out_pages() {
        for (auto& [path, page] : m_pages) {
            auto const made = page.slow ? page.slow->take() : std::nullopt;
            for (auto& one : m_clients) {
                if (made && one.now == client::stage::waiting && one.page == &page) {
                    answer(one, *made);
                }
            }
        }
    }

    void answer(client& one, http_page const& page) const {
        one.now = client::stage::writing;
        one.bytes = to_bytes(page, one.head);
        one.done = 0;
        one.until = clock::now() + m_limits.patience;
    }

    /// @return whether it is still there
    bool serve(client& one, bool ready) {
        if (ready && one.now == client::stage::waiting) {
            return false; // POLLERR or POLLHUP: it has gone
        }
        if (ready && one.now == client::stage::reading && !receive(one)) {
            return false;
        }
        if (one.now == client::stage::writing && !send(one)) {
            return false;
        }
        if (ready && one.now == client::stage::lingering && !throw_away(one)) {
            return false;
        }
        if (clock::now() < one.until) {
            return true;
        }
        if (one.now == client::stage::waiting) {
            answer(one, one.page->late);
            return true;
        }
        return false;
    }

    bool receive(client& one) {
        std::array<char, 4096> buffer{};
        for (;;) {
            auto const count = ::recv(one.socket.number(), buffer.data(), buffer.size(), 0);
            if (count < 0) {
                return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            }
            if (count == 0) {
                return false;
            }
            one.bytes.append(buffer.data(), static_cast<std::size_t>(count));
            if (auto const request = read_request(one.bytes, m_limits.head_bytes)) {
                begin_answer(one, *request);
                return true;
            }
        }
    }

    void begin_answer(client& one, http_request const& request) {
        one.head = request.head;
        if (request.refused != 0) {
            answer(one, error_page(request.refused));
            return;
        }
        auto const found = m_pages.find(request.path);
        if (found == m_pages.end()) {
            answer(one, error_page(404));
        } else if (found->second.slow) {
            one.now = client::stage::waiting;
            one.page = &found->second;
            one.until = clock::now() + found->second.patience;
            one.bytes.clear();
            found->second.slow->ask();
        } else {
            answer(one, found->second.at_once());
        }
    }

    static bool send(client& one) {
        while (one.done < one.bytes.size()) {
            auto const count = ::send(one.socket.number(), one.bytes.data() + one.done,
                                      one.bytes.size() - one.done, MSG_NOSIGNAL);
            if (count < 0) {
                return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
            }
            one.done += static_cast<std::size_t>(count);
        }
        ::shutdown(one.socket.number(), SHUT_WR);
        one.now = client::stage::lingering;
        one.until = clock::now() + longest_linger;
        one.done = 0;
        one.bytes = {};
        return true;
    }

    static bool throw_away(client& one) {
        std::array<char, 16 * 1024> buffer{};
        auto const count = ::recv(one.socket.number(), buffer.data(), buffer.size(), 0);
        if (count < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        one.done += static_cast<std::size_t>(count);
        return count > 0 && one.done < most_lingering_bytes;
    }

    http_limits m_limits;
    descriptor m_listener;
    descriptor m_wake;
    std::map<std::string, page_entry> m_pages;
    std::list<client> m_clients; // in the order in which they came
    std::atomic<bool> m_ending = false;
    std::thread m_thread;
};

http_server::http_server(std::string const& address, http_limits limits) {
    auto const [host, wanted] = host_and_port(address);
    auto listener = listen_at(host, wanted);
    int const port = listener.number() < 0 ? 0 : port_of(listener.number());
    if (port == 0) {
        throw std::runtime_error{"--listen: cannot listen at " + address +
                                 ": is the port taken, or the address not of this machine?"};
    }
    m_url = "http://" + address.substr(0, address.rfind(':')) + ":" + std::to_string(port);
    m_loop = std::make_unique<loop>(std::move(listener), limits);
}

http_server::~http_server() = default;

void http_server::on(std::string const& path, std::string const& about, handler answer) {
    auto& page = m_loop->page(path);
    page.about = about;
    page.at_once = std::move(answer);
}

void http_server::on_slow(std::string const& path, std::string const& about, handler answer,
                          milliseconds patience, http_page late) {
    auto& page = m_loop->page(path);
    page.about = about;
    page.slow = std::make_unique<slow_page>(std::move(answer), [loop = m_loop.get()] { loop->wake(); });
    page.patience = patience;
    page.late = std::move(late);
}

void http_server::start() {
    std::string index = "once serves here:\n";
    for (auto const& [path, page] : m_loop->pages()) {
        index += path + std::string(path.size() < 10 ? 10 - path.size() : 1, ' ') + page.about + '\n';
    }
    on("/", "this page", [index] { return http_page{200, index}; });
    m_loop->start();
}

} // namespace once::command
