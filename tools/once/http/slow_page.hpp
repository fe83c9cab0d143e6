// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "http/http_server.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace once::command {

/// A page that takes time: a thread of its own makes it, one at a time, however many ask for it.
/**
 * Thread safety: `ask` and `take` are for one thread, which `wake` calls from another one.
 */
class slow_page {
public:
    /// @param wake is called when there is something to take
    slow_page(http_server::handler answer, std::function<void()> wake);
    ~slow_page();
    slow_page(slow_page const&) = delete;
    slow_page& operator=(slow_page const&) = delete;

    /// Wants the page; one that is being made already will do.
    void ask();
    /// The page, for all who have asked, when it is there.
    [[nodiscard]] std::optional<http_page> take();

private:
    void make_pages();

    http_server::handler m_answer;
    std::function<void()> m_wake;
    std::mutex m_mutex;
    std::condition_variable m_asked;
    bool m_wanted = false; // guarded by m_mutex, as the next two
    bool m_ending = false;
    std::optional<http_page> m_made;
    std::thread m_thread;
};

} // namespace once::command
