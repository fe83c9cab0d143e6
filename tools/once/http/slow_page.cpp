// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "http/slow_page.hpp"

#include "http/http_message.hpp"

#include <utility>

namespace once::command {

slow_page::slow_page(http_server::handler answer, std::function<void()> wake)
    : m_answer{std::move(answer)}, m_wake{std::move(wake)}, m_thread{[this] { make_pages(); }} {}

slow_page::~slow_page() {
    {
        std::lock_guard const lock{m_mutex};
        m_ending = true;
    }
    m_asked.notify_one();
    m_thread.join();
}

void slow_page::ask() {
    {
        std::lock_guard const lock{m_mutex};
        m_wanted = true;
    }
    m_asked.notify_one();
}

std::optional<http_page> slow_page::take() {
    std::lock_guard const lock{m_mutex};
    return std::exchange(m_made, std::nullopt);
}

void slow_page::make_pages() {
    std::unique_lock lock{m_mutex};
    for (;;) {
        m_asked.wait(lock, [this] { return m_wanted || m_ending; });
        if (m_ending) {
            return;
        }
        lock.unlock();
        http_page page;
        try {
            page = m_answer();
        } catch (std::exception const&) {
            page = error_page(500); // its text may name what is nobody's business here
        }
        lock.lock();
        m_wanted = false;
        m_made = std::move(page);
        m_wake();
    }
}

} // namespace once::command
