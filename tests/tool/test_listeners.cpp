// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "http/http_message.hpp"
#include "http/http_server.hpp"
#include "relay_database.hpp"
#include "relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
using namespace std::chrono_literals;
using once::command::http_limits;
using once::command::http_page;
using once::command::http_server;

namespace {

int port_in(std::string const& url) {
    return std::stoi(url.substr(url.rfind(':') + 1));
}

// A client that goes on sending whatever it gets back, and never reads.
class stubborn_client {
public:
    explicit stubborn_client(int port) : m_socket{::socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        m_open = ::connect(m_socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~stubborn_client() { ::close(m_socket); }
    stubborn_client(stubborn_client const&) = delete;
    stubborn_client& operator=(stubborn_client const&) = delete;

    bool send(std::string_view bytes) {
        while (m_open && !bytes.empty()) {
            auto const sent = ::send(m_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            m_open = sent > 0;
            bytes.remove_prefix(m_open ? static_cast<std::size_t>(sent) : 0);
        }
        return m_open;
    }

private:
    int m_socket;
    bool m_open = false;
};

long resident_kilobytes(pid_t pid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) { // the most it has ever had
            return std::stol(line.substr(6));
        }
    }
    return 0;
}

// How long a probe takes, in milliseconds, until it is answered with 200. On a busy machine it can be the oldest of 256
// clients before it has sent a byte, and give way; then it asks again.
long long probe(int port) {
    auto const begin = std::chrono::steady_clock::now();
    auto const took = [&] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin)
            .count();
    };
    while (status_of(raw_http::exchange(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) != 200 &&
           took() < 5'000) {
    }
    return took();
}

// Each way to bother a server, at work until the end; the slowest probe meanwhile.
long long slowest_probe_under_attack(int port) {
    std::atomic<bool> over = false;
    std::vector<std::jthread> attackers;
    attackers.emplace_back([&] { // bodies of 300 MiB, one after the other
        std::string const chunk(std::size_t{1} << 20U, 'x');
        while (!over) {
            stubborn_client client{port};
            client.send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 314572800\r\n\r\n");
            for (int i = 0; i < 300 && !over && client.send(chunk); ++i) {
            }
        }
    });
    attackers.emplace_back([&] { // headers without an end
        while (!over) {
            stubborn_client client{port};
            client.send("GET /healthz HTTP/1.1\r\n");
            while (!over && client.send("X-Padding: " + std::string(4000, 'y') + "\r\n")) {
            }
        }
    });
    attackers.emplace_back([&] { // 400 clients that have begun a request, and send a byte now and then
        std::vector<std::unique_ptr<stubborn_client>> clients;
        while (!over) {
            while (clients.size() < 400) {
                clients.push_back(std::make_unique<stubborn_client>(port));
                clients.back()->send("GET /heal");
            }
            std::erase_if(clients, [](auto const& one) { return !one->send("t"); });
        }
    });
    attackers.emplace_back([&] { // clients that want everything and read nothing
        std::vector<std::unique_ptr<stubborn_client>> clients;
        for (int i = 0; !over; ++i) {
            clients.push_back(std::make_unique<stubborn_client>(port));
            clients.back()->send("GET /metrics HTTP/1.1\r\n\r\n");
            if (clients.size() == 50) {
                clients.clear();
            }
        }
    });
    long long slowest = 0;
    for (auto const end = std::chrono::steady_clock::now() + 2s; std::chrono::steady_clock::now() < end;) {
        slowest = std::max(slowest, probe(port));
    }
    over = true;
    return slowest;
}

} // namespace

TEST_CASE(
    "whatever clients do to a listener, a probe is answered within a second, and the process does not grow",
    "[listener]") {
    relay_database db;
    db.publish(3);
    temporary_folder const folder;
    once_program metrics{{"metrics", "--listen", "127.0.0.1:0"}, {db.variable()}};
    once_program relay{
        {"relay", "s", "--to", "jsonl", "--file", folder.file("out"), "--listen", "127.0.0.1:0"},
        {db.variable()}};
    auto const address = metrics.read_line();
    auto const url = address.substr(0, address.rfind('/'));
    for (auto const& [program, port] : {std::pair<once_program*, int>{&metrics, port_in(url)},
                                        std::pair<once_program*, int>{&relay, port_in(relay.url())}}) {
        CHECK(probe(port) < 1'000);
        auto const before = resident_kilobytes(program->pid());
        CHECK(slowest_probe_under_attack(port) < 1'000);
        CHECK(resident_kilobytes(program->pid()) - before < 64 * 1024);
        CHECK(status_of(raw_http::exchange(port, "GET /metrics HTTP/1.1\r\n\r\n")) == 200);
        CHECK(program->stop() == 0);
    }
}

TEST_CASE("a listener takes no body, no endless head, no other method and no half request", "[listener]") {
    http_server server{"127.0.0.1:0", {.head_bytes = 1'000, .patience = 300ms}};
    server.on("/healthz", "it lives", [] { return http_page{200, "ok\n"}; });
    server.start();
    auto const ask = [&](std::string const& bytes) {
        return raw_http::exchange(port_in(server.url()), bytes);
    };
    CHECK(body_of(ask("GET /healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")) == "ok\n");
    CHECK(body_of(ask("HEAD /healthz HTTP/1.1\r\n\r\n")).empty());
    CHECK(status_of(ask("HEAD /healthz HTTP/1.1\r\n\r\n")) == 200);
    CHECK(status_of(ask("POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345")) == 405);
    CHECK(status_of(ask("GET /healthz HTTP/1.1\r\nX: " + std::string(2'000, 'x'))) == 431);
    CHECK(status_of(ask("GET /healthz HTTP/1.1\r\nX: " + std::string(2'000, 'x') + "\r\n\r\n")) == 431);
    CHECK(status_of(ask("hello\r\n\r\n")) == 400);
    CHECK(status_of(ask("GET http://elsewhere/ HTTP/1.1\r\n\r\n")) == 400);
    CHECK(status_of(ask("GET /healthz HTTP/1.1\r\nHo")) == 0); // closed when its time was up
    CHECK_FALSE(once::command::read_request("GET / HTTP/1.1\r\n", 100).has_value());
}

TEST_CASE("the page / of a listener says what is there, and a page that is not there points to it",
          "[listener]") {
    relay_database const db;
    temporary_folder const folder;
    once_program metrics{{"metrics", "--listen", "127.0.0.1:0"}, {db.variable()}};
    auto const address = metrics.read_line();
    CHECK_THAT(get(address.substr(0, address.rfind('/')), "/"), ContainsSubstring("200 OK") &&
                                                                    ContainsSubstring("/metrics ") &&
                                                                    ContainsSubstring("/healthz "));
    once_program relay{
        {"relay", "s", "--to", "jsonl", "--file", folder.file("out"), "--listen", "127.0.0.1:0"},
        {db.variable()}};
    CHECK_THAT(get(relay.url(), "/"), ContainsSubstring("/readyz "));
    CHECK_THAT(get(relay.url(), "/metric"), ContainsSubstring("404") && ContainsSubstring("the page / says"));
}

TEST_CASE("a page that takes time is made once for all who ask, keeps nobody else waiting, and has an end",
          "[listener]") {
    std::mutex mutex;
    std::condition_variable changed;
    int made = 0;
    bool go = false;
    http_server server{"127.0.0.1:0"};
    server.on("/healthz", "", [] { return http_page{200, "ok\n"}; });
    server.on_slow("/slow", "",
                   [&] {
                       std::unique_lock lock{mutex};
                       ++made;
                       changed.notify_all();
                       changed.wait(lock, [&] { return go; });
                       return http_page{200, "made\n"};
                   },
                   30s, {503, "late\n"});
    server.on_slow("/late", "",
                   [&] {
                       std::unique_lock lock{mutex};
                       changed.wait(lock, [&] { return go; });
                       return http_page{200, "made\n"};
                   },
                   100ms, {503, "late\n"});
    server.start();
    int const port = port_in(server.url());
    std::atomic<int> answered = 0;
    std::vector<std::jthread> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back([&] {
            answered += body_of(raw_http::exchange(port, "GET /slow HTTP/1.1\r\n\r\n")) == "made\n" ? 1 : 0;
        });
    }
    {
        std::unique_lock lock{mutex};
        REQUIRE(changed.wait_for(lock, 20s, [&] { return made == 1; }));
    }
    CHECK(probe(port) < 1'000);
    CHECK(body_of(raw_http::exchange(port, "GET /late HTTP/1.1\r\n\r\n")) == "late\n");
    {
        std::lock_guard const lock{mutex};
        go = true;
    }
    changed.notify_all();
    clients.clear();
    CHECK(answered == 5);
    CHECK(made <= 2); // the second time for those that came when the first was done
}

TEST_CASE("of more clients than a listener takes the oldest without a request gives way", "[listener]") {
    http_server server{"127.0.0.1:0", {.connections = 4}};
    server.on("/healthz", "", [] { return http_page{200, "ok\n"}; });
    server.start();
    int const port = port_in(server.url());
    std::vector<std::unique_ptr<stubborn_client>> idle;
    for (int i = 0; i < 20; ++i) {
        idle.push_back(std::make_unique<stubborn_client>(port));
        idle.back()->send("GET ");
    }
    CHECK(probe(port) < 1'000);
}
