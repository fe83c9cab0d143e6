// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "redis_session.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <sys/socket.h>
#include <sys/time.h>

namespace once::redis {

namespace {

using std::chrono::microseconds;

/// hiredis writes to sockets as to files, so a connection that the server has closed raises SIGPIPE. A library must not
/// decide for the process what that does; so it is kept from this thread, and taken away if it has come.
class no_sigpipe {
public:
    no_sigpipe() {
        sigemptyset(&m_only);
        sigaddset(&m_only, SIGPIPE);
        sigset_t waiting;
        sigpending(&waiting);
        m_was_pending = sigismember(&waiting, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &m_only, &m_before);
    }
    ~no_sigpipe() {
        auto const kept = errno;
        if (!m_was_pending) {
            timespec const at_once{};
            while (sigtimedwait(&m_only, nullptr, &at_once) == -1 && errno == EINTR) {
            }
        }
        pthread_sigmask(SIG_SETMASK, &m_before, nullptr);
        errno = kept;
    }
    no_sigpipe(no_sigpipe const&) = delete;
    no_sigpipe& operator=(no_sigpipe const&) = delete;

private:
    sigset_t m_only{};
    sigset_t m_before{};
    bool m_was_pending = false;
};

timeval left_until(time_point when) {
    auto const left = std::chrono::duration_cast<microseconds>(when - std::chrono::steady_clock::now());
    auto const at_least = std::max(left, microseconds{1'000}); // zero would be for ever
    constexpr int micro = 1'000'000;
    return {.tv_sec = static_cast<time_t>(at_least.count() / micro),
            .tv_usec = static_cast<suseconds_t>(at_least.count() % micro)};
}

// What the server says is shown as it is: it holds no payload, and no password.
std::string said(redisReply const& reply) {
    constexpr std::size_t longest = 200;
    return std::string{text_of(reply).substr(0, longest)};
}

} // namespace

std::unique_ptr<session> session::open(address const& where, redis_options const& options,
                                       time_point deadline, std::string& error) {
    auto const patience =
        std::min<time_point>(deadline, std::chrono::steady_clock::now() + options.connect_timeout);
    std::unique_ptr<session> made{
        new session{redisConnectWithTimeout(where.host.c_str(), where.port, left_until(patience))}};
    if (!made->m_context) {
        throw std::bad_alloc{};
    }
    if (made->m_context->err != 0) {
        error = "no server can be reached: " + made->why();
        return nullptr;
    }
    redisEnableKeepAlive(made->m_context.get());
    error = made->log_in(where, options, patience);
    return error.empty() ? std::move(made) : nullptr;
}

std::string session::log_in(address const& where, redis_options const& options, time_point deadline) {
    auto const& user = options.user.empty() ? where.user : options.user;
    auto const& password = options.password.empty() ? where.password : options.password;
    if (!password.empty()) {
        std::vector<std::string_view> words{"AUTH"};
        if (!user.empty()) {
            words.emplace_back(user);
        }
        words.emplace_back(password);
        auto const reply = ask(words, deadline);
        if (!reply) {
            return "no answer to AUTH: " + why();
        }
        if (is_error(*reply)) {
            return "the server refused user and password: " + said(*reply);
        }
    }
    auto const database = std::to_string(where.database);
    auto const reply = where.database == 0 ? ask({"PING"}, deadline) : ask({"SELECT", database}, deadline);
    if (!reply) {
        return "no answer: " + why();
    }
    // One who may not PING may publish all the same.
    if (is_error(*reply) && !text_of(*reply).starts_with("NOPERM")) {
        return "the server is not ready: " + said(*reply);
    }
    look_at_settings(options, deadline);
    return "";
}

// Not everyone may ask, and then there is nothing to say.
void session::look_at_settings(redis_options const& options, time_point deadline) {
    if (!options.log) {
        return;
    }
    auto const value_of = [&](char const* name) -> std::string {
        auto const reply = ask({"CONFIG", "GET", name}, deadline);
        return reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                   ? std::string{text_of(*reply->element[1])}
                   : "";
    };
    auto const file = value_of("appendonly");
    auto const sync = value_of("appendfsync");
    if (file == "no") {
        options.log(
            "Redis writes no append-only file (appendonly no): what counts as accepted may be lost when the "
            "server ends");
    } else if (!sync.empty() && sync != "always") {
        options.log(
            "Redis has appendfsync " + sync +
            ": what counts as accepted may be lost when the machine fails, and with everysec up to a second "
            "of it when the server is killed");
    }
    auto const policy = value_of("maxmemory-policy");
    if (policy.starts_with("allkeys")) {
        options.log("Redis has maxmemory-policy " + policy +
                    ": it may drop whole streams when memory is short");
    }
}

owned_reply session::ask(std::vector<std::string_view> const& words, time_point deadline) {
    append(words);
    return read(deadline);
}

bool session::is_dead() const {
    if (m_context->err != 0) {
        return true;
    }
    char byte = 0;
    auto const got = recv(m_context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // Nothing is owed to us now: what comes all the same is the end, or something that we would take for an answer.
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void session::append(std::vector<std::string_view> const& words) {
    std::vector<char const*> texts;
    std::vector<std::size_t> sizes;
    texts.reserve(words.size());
    sizes.reserve(words.size());
    for (auto const word : words) {
        texts.push_back(word.data() == nullptr ? "" : word.data());
        sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(m_context.get(), static_cast<int>(words.size()), texts.data(), sizes.data()) !=
        REDIS_OK) {
        throw std::bad_alloc{};
    }
}

owned_reply session::read(time_point deadline) {
    no_sigpipe const guard;
    void* reply = nullptr;
    errno = 0;
    redisSetTimeout(m_context.get(), left_until(deadline));
    if (redisGetReply(m_context.get(), &reply) != REDIS_OK) {
        m_timed_out = m_context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
        return nullptr;
    }
    return owned_reply{static_cast<redisReply*>(reply)};
}

std::string session::why() const {
    return m_timed_out ? "its time was up" : m_context->errstr;
}

} // namespace once::redis
