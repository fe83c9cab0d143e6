// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/reader_session.hpp"

#include "database/poll_timeout.hpp"
#include "sql/session_statements.hpp"

#include <pqxx/except>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <poll.h>
#include <string_view>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace once::detail {

namespace {

using std::chrono::steady_clock;

} // namespace

stop_signal::stop_signal() : m_descriptor{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (m_descriptor < 0) {
        throw std::system_error{errno, std::generic_category(), "once: eventfd"};
    }
}

stop_signal::~stop_signal() {
    ::close(m_descriptor);
}

void stop_signal::raise() const noexcept {
    std::uint64_t const one = 1;
    static_cast<void>(!::write(m_descriptor, &one, sizeof one)); // it can only be full, and so readable
}

session& reader_session::on() {
    bool const lost = m_checkout && !(*m_checkout)->open();
    if (lost) {
        drop();
    }
    if (!m_checkout) {
        m_checkout.emplace(m_pool.take(steady_clock::now() + m_pool.options().connect_timeout));
    }
    if (lost) { // it was given up, perhaps while it waited for what another one holds
        look_at_holder();
    }
    return **m_checkout;
}

void reader_session::drop() noexcept {
    if (m_checkout) {
        (*m_checkout)->close();
        m_checkout.reset();
    }
    m_listening = false;
    m_notified.reset();
}

std::vector<pg_result> reader_session::exchange(pipeline const& pipeline) {
    auto& session = on();
    auto const& statements = pipeline.statements();
    std::vector<statement const*> sent;
    sent.reserve(statements.size());
    for (auto const& one : statements) {
        sent.push_back(&one);
    }
    std::vector<pg_result> answers;
    session.exchange(sent, steady_clock::now() + m_reply_timeout, answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i].failed()) {
            session.settle(steady_clock::now() + m_reply_timeout);
            if (answers[i].sqlstate() == "55P03") {
                look_at_holder();
            }
            throw_sql_error(answers[i], statements[i].sql);
        }
    }
    return answers;
}

void reader_session::look_at_holder() noexcept {
    if (m_checkout && (*m_checkout)->open()) {
        m_pool.end_half_open(**m_checkout, m_reply_timeout);
    }
}

void reader_session::listen(std::string const& channel) {
    if (!m_listening || !m_checkout || !(*m_checkout)->open()) {
        pipeline one;
        one.add({sql::listen(channel), {}});
        exchange(one);
        m_listening = true;
    }
}

void reader_session::gather_notifications() {
    if (!m_checkout || !(*m_checkout)->open()) {
        return;
    }
    auto const free_it = [](PGnotify* notification) { PQfreemem(notification); };
    while (std::unique_ptr<PGnotify, decltype(free_it)> const one{PQnotifies((*m_checkout)->raw()), free_it}) {
        m_notified = one->extra;
    }
}

std::optional<std::string> reader_session::take_notification() {
    gather_notifications();
    return std::exchange(m_notified, std::nullopt);
}

void reader_session::wait(steady_clock::time_point until, std::stop_token const& stop, bool heed_server) {
    stop_signal const signal;
    std::stop_callback const on_stop{stop, [&] { signal.raise(); }};
    while (!stop.stop_requested() && steady_clock::now() < until) {
        if (heed_server) {
            gather_notifications();
            if (m_notified) {
                return;
            }
        }
        std::array<pollfd, 2> sources{pollfd{signal.descriptor(), POLLIN, 0},
                                      pollfd{heed_server ? PQsocket(on().raw()) : -1, POLLIN, 0}};
        if (::poll(sources.data(), sources.size(), poll_timeout(until)) > 0 && sources[1].revents != 0 &&
            PQconsumeInput(on().raw()) == 0) {
            drop();
            throw pqxx::broken_connection{"once: connection lost while waiting for messages"};
        }
    }
}

} // namespace once::detail
