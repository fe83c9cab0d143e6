// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/connection_pool.hpp"

#include <once/error.hpp>

#include "database/schema_check.hpp"

#include <pqxx/except>

#include <algorithm>
#include <optional>

namespace once::detail {

namespace {

[[noreturn]] void refuse_shared_statements() {
    throw configuration_error{
        "once: a pooler hands one session of the server to several clients, and does not keep their prepared "
        "statements apart: set database_options::prepared_statements = false, or use PgBouncer 1.21 or later "
        "with "
        "max_prepared_statements above 0"};
}

} // namespace

connection_pool::connection_pool(std::string const& conninfo, database_options options)
    : m_options{std::move(options)}, m_plan{conninfo}, m_prepare{m_options.prepared_statements} {}

connection_pool::checkout::~checkout() {
    if (m_session) {
        m_pool->give_back(std::move(m_session));
    }
}

void connection_pool::log(std::string_view line,
                          std::function<void(std::string_view)> const& own) const noexcept {
    auto const& receiver = own ? own : m_options.log;
    if (receiver) {
        try {
            receiver(line);
        } catch (...) { // NOLINT(bugprone-empty-catch): a logger that fails must not fail the work
        }
    }
}

connection_pool::checkout connection_pool::take(time_point deadline) {
    std::unique_lock lock{m_mutex};
    for (;;) {
        if (!m_returned.wait_until(
                lock, deadline, [this] { return !m_free.empty() || m_open < m_options.max_connections; })) {
            throw deadline_exceeded{"once: all " + std::to_string(m_options.max_connections) +
                                    " connections stayed busy until the deadline; nothing was begun. Raise "
                                    "database_options::max_connections or the deadline"};
        }
        if (m_free.empty()) {
            ++m_open;
            break;
        }
        // The one used last: the others may rest, and its prepared statements are warm.
        auto session = std::move(m_free.back());
        m_free.pop_back();
        lock.unlock();
        session->notice_hang_up();
        session->settle(std::min(deadline, std::chrono::steady_clock::now() + m_options.connect_timeout));
        session->hand_out_again(m_through_pooler);
        if (session->open()) {
            return checkout{*this, std::move(session)};
        }
        lock.lock();
        --m_open;
    }
    lock.unlock();
    try {
        return checkout{*this, open_session(deadline)};
    } catch (...) {
        lock.lock();
        --m_open;
        lock.unlock();
        m_returned.notify_one();
        throw;
    }
}

pg_result connection_pool::ask(statement const& statement, time_point deadline, bool repeatable) {
    for (bool again = false;; again = true) {
        std::optional<checkout> taken{take(deadline)};
        // It goes back first in case of failure, or the pool would not distrust it with the others.
        try {
            return (*taken)->ask(statement, deadline);
        } catch (session_is_shared const& e) { // it failed for certain, so it may always be sent again
            taken.reset();
            log(e.what());
            stop_preparing();
            if (again) {
                throw;
            }
        } catch (pqxx::broken_connection const& e) {
            taken.reset();
            log(e.what());
            distrust_free_sessions();
            if (!repeatable) {
                throw pqxx::in_doubt_error{std::string{"once: nobody knows whether it took effect: "} +
                                           e.what()};
            }
            if (again) {
                throw;
            }
        }
    }
}

void connection_pool::give_back(std::unique_ptr<session> session) noexcept {
    bool const reusable = session->open();
    {
        std::lock_guard const lock{m_mutex};
        if (reusable) {
            m_free.push_back(std::move(session));
        } else {
            --m_open;
        }
    }
    m_returned.notify_one();
}

void connection_pool::distrust_free_sessions() noexcept {
    std::vector<std::unique_ptr<session>> doomed;
    {
        std::lock_guard const lock{m_mutex};
        doomed.swap(m_free);
        m_open -= doomed.size();
    }
    m_returned.notify_all();
}

void connection_pool::end_half_open(session& on, std::chrono::milliseconds silent_for) noexcept {
    m_half_open.end(on, silent_for, std::chrono::steady_clock::now() + m_options.connect_timeout,
                    [this](std::string_view line) { log(line); });
}

void connection_pool::stop_preparing() noexcept {
    bool was_preparing = false;
    {
        std::lock_guard const lock{m_mutex};
        was_preparing = std::exchange(m_prepare, false);
    }
    if (was_preparing) {
        log("once: the server forgot a prepared statement, so a pooler seems to share its sessions, or a "
            "callback "
            "ran DEALLOCATE; going on without");
    }
    distrust_free_sessions(); // those that still prepare
}

void connection_pool::expect_other_roles() noexcept {
    if (!m_other_roles.exchange(true)) {
        log("once: a callback ended in a role that may not call the library's functions; from now on they "
            "are called "
            "in the role that the transaction began with");
    }
}

std::unique_ptr<session> connection_pool::open_session(time_point deadline) {
    auto const limit = std::min(deadline, std::chrono::steady_clock::now() + m_options.connect_timeout);
    bool prepare = false;
    bool begins = false;
    {
        std::lock_guard const lock{m_mutex};
        prepare = m_prepare;
        begins = !m_schema_checked;
    }
    auto opened = std::make_unique<session>(m_plan.connect(limit), prepare);
    if (m_options.log) {
        opened->connection().set_notice_handler([this](pqxx::zview text) noexcept { log(text); });
    }
    try {
        auto const facts = inspect_server(*opened, limit);
        opened->opened_as(facts.role);
        admit(facts, *opened, limit);
    } catch (session_is_shared const&) {
        if (begins) { // later there are calls under way, which go on without prepared statements
            refuse_shared_statements();
        }
        throw;
    }
    return opened;
}

void connection_pool::note_timeline(std::int64_t timeline) noexcept {
    auto known = m_timeline.load();
    while (known < timeline && !m_timeline.compare_exchange_weak(known, timeline)) {
    }
}

void connection_pool::require_timeline(std::int64_t timeline) {
    auto const known = newest_timeline();
    if (timeline < known) {
        throw pqxx::broken_connection{"once: the server is on timeline " + std::to_string(timeline) +
                                      " although this process has seen timeline " + std::to_string(known) +
                                      ": an old primary that was failed over"};
    }
    note_timeline(timeline);
}

void connection_pool::admit(server_facts const& facts, session& session, time_point deadline) {
    // Both may pass by themselves once a failover is through, so they count as a connection that failed.
    if (facts.standby) {
        throw pqxx::broken_connection{"once: the server is a standby; writes need the primary"};
    }
    std::unique_lock lock{m_mutex};
    if (!m_system_identifier.empty() && facts.system_identifier != m_system_identifier) {
        throw configuration_error{
            "once: the server is another cluster (system identifier " + facts.system_identifier +
            ") than before (" + m_system_identifier +
            "): its records do not continue ours. Restart the service if this is meant"};
    }
    require_timeline(facts.timeline);
    bool const first = m_system_identifier.empty();
    m_system_identifier = facts.system_identifier;
    bool const check_now = !m_schema_checked;
    lock.unlock();

    if (first && facts.loses_data_in_crash) {
        log("once: the server runs with fsync or full_page_writes off: a crash can lose what was "
            "acknowledged");
    }
    m_through_pooler = facts.through_pooler;
    if (check_now) {
        if (facts.through_pooler && shares_prepared_statements(session, m_plan, deadline)) {
            refuse_shared_statements();
        }
        check_schema(session, m_options.schema, deadline);
        lock.lock();
        m_schema_checked = true;
    }
}

} // namespace once::detail
