// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "redis_server.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <spawn.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace {

std::string encoded(std::vector<std::string> const& words) {
    std::string bytes{'*'};
    bytes.append(std::to_string(words.size())).append("\r\n");
    for (auto const& word : words) {
        bytes.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
    }
    return bytes;
}

} // namespace

redis_connection::redis_connection(std::string const& socket)
    : m_socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.size() >= sizeof address.sun_path) {
        throw std::runtime_error{"the socket's path is too long: " + socket};
    }
    std::memcpy(address.sun_path, socket.c_str(), socket.size());
    if (::connect(m_socket, reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
        int const error = errno;
        ::close(m_socket);
        throw std::system_error{error, std::generic_category(), "redis at " + socket};
    }
}

redis_connection::~redis_connection() {
    ::close(m_socket);
}

void redis_connection::send(std::string const& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
        auto const n = ::send(m_socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n < 0) {
            throw std::system_error{errno, std::generic_category(), "redis: send"};
        }
        sent += static_cast<std::size_t>(n);
    }
}

std::string redis_connection::line() {
    for (;;) {
        if (auto const end = m_received.find("\r\n"); end != std::string::npos) {
            auto text = m_received.substr(0, end);
            m_received.erase(0, end + 2);
            return text;
        }
        std::array<char, 4096> buffer{};
        auto const n = ::recv(m_socket, buffer.data(), buffer.size(), 0);
        if (n <= 0) {
            throw std::runtime_error{"redis: connection lost"};
        }
        m_received.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

std::string redis_connection::answer() {
    auto const head = line();
    if (head.starts_with('-')) {
        throw std::runtime_error{"redis: " + head.substr(1)};
    }
    if (!head.starts_with('$')) { // +OK or :1
        return head.substr(1);
    }
    return head == "$-1" ? "" : line(); // no answer here has a line break in it
}

std::string redis_connection::command(std::vector<std::string> const& words) {
    send(encoded(words));
    return answer();
}

void redis_connection::pipeline(std::vector<std::vector<std::string>> const& commands) {
    constexpr std::size_t at_a_time = 100; // so that neither side has to wait for the other to read
    std::string bytes;
    for (std::size_t i = 0, asked = 0; i < commands.size(); ++i) {
        bytes += encoded(commands[i]);
        ++asked;
        if (asked == at_a_time || i + 1 == commands.size()) {
            send(bytes);
            bytes.clear();
            for (; asked > 0; --asked) {
                answer();
            }
        }
    }
}

std::unique_ptr<redis_server> redis_server::start(std::vector<std::string> const& durability) {
    std::unique_ptr<redis_server> server{new redis_server};
    std::string folder = std::filesystem::temp_directory_path() / "once-redis.XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) {
        throw std::system_error{errno, std::generic_category(), "mkdtemp"};
    }
    server->m_folder = folder;
    std::vector<std::string> words{"redis-server", "--port", "0", "--unixsocket", server->socket(), "--dir",
                                   folder,         "--save", "",  "--logfile",    folder + "/log"};
    words.insert(words.end(), durability.begin(), durability.end());
    std::vector<char*> arguments;
    for (auto& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    if (int const error =
            ::posix_spawnp(&server->m_pid, "redis-server", nullptr, nullptr, arguments.data(), environ);
        error != 0) {
        server->m_pid = 0;
        if (error == ENOENT) {
            return nullptr;
        }
        throw std::system_error{error, std::generic_category(), "redis-server"};
    }
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    for (;;) {
        try {
            redis_connection{server->socket()}.command({"PING"});
            return server;
        } catch (std::exception const&) {
            if (std::chrono::steady_clock::now() > deadline) {
                throw;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds{5});
        }
    }
}

redis_server::~redis_server() {
    if (m_pid > 0) {
        ::kill(m_pid, SIGTERM);
        while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    std::error_code ignored;
    std::filesystem::remove_all(m_folder, ignored);
}
