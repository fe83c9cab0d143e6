// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire_rules.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace once::testing {

struct trigger::state {
    std::function<bool(event const&)> matches;
    action what;
    std::function<void(event const&)> deed;
    int limit = 1;

    std::mutex mutex;
    std::condition_variable changed;
    int to_skip = 0;
    int claimed = 0;
    int fired = 0;
};

trigger::trigger(std::function<bool(event const&)> matches, action what)
    : m_state{std::make_shared<state>()} {
    m_state->matches = std::move(matches);
    m_state->what = what;
}

trigger& trigger::times(int count) {
    m_state->limit = count;
    return *this;
}

trigger& trigger::skip(int count) {
    m_state->to_skip = count;
    return *this;
}

trigger& trigger::doing(std::function<void(event const&)> deed) {
    m_state->deed = std::move(deed);
    return *this;
}

int trigger::fired() const {
    std::lock_guard const lock{m_state->mutex};
    return m_state->fired;
}

bool trigger::wait_fired(std::chrono::milliseconds timeout, int count) const {
    std::unique_lock lock{m_state->mutex};
    return m_state->changed.wait_for(lock, timeout, [&] { return m_state->fired >= count; });
}

action trigger::operator()(event const& e) const {
    if (!m_state->matches(e)) {
        return act::forward();
    }
    {
        std::lock_guard const lock{m_state->mutex};
        if (m_state->to_skip > 0) {
            --m_state->to_skip;
            return act::forward();
        }
        if (m_state->limit != 0 && m_state->claimed >= m_state->limit) {
            return act::forward();
        }
        ++m_state->claimed;
    }
    // Outside the lock: the deed may take long and may look at this trigger.
    if (m_state->deed) {
        m_state->deed(e);
    }
    {
        std::lock_guard const lock{m_state->mutex};
        ++m_state->fired;
    }
    m_state->changed.notify_all();
    return m_state->what;
}

namespace {

bool is_of(event const& e, int connection, wire_direction direction) {
    return e.direction == direction && (connection == any_connection || e.connection == connection);
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool contains(std::string const& text, std::string const& part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

bool is_stage(char type, sql_stage stage) {
    switch (stage) {
    case sql_stage::executing:
        return type == 'Q' || type == 'E';
    case sql_stage::parsing:
        return type == 'Q' || type == 'P';
    case sql_stage::any:
        break;
    }
    return true;
}

} // namespace

trigger at(int connection, wire_direction direction, int index, action what) {
    return {[=](event const& e) { return is_of(e, connection, direction) && e.index == index; }, what};
}

trigger at_work(int connection, wire_direction direction, int index, action what) {
    return {[=](event const& e) { return is_of(e, connection, direction) && e.work_index == index; }, what};
}

trigger at_sql(std::string substring, action what, sql_stage stage) {
    return {[part = std::move(substring), stage](event const& e) {
                return e.direction == wire_direction::to_server && is_stage(e.type, stage) &&
                       !e.sql.empty() && contains(e.sql, part);
            },
            what};
}

trigger at_tag(std::string tag, action what) {
    return {[tag = std::move(tag)](event const& e) {
                return e.direction == wire_direction::to_client && e.type == 'C' && e.tag == tag;
            },
            what};
}

trigger at_type(wire_direction direction, char type, action what) {
    return {[=](event const& e) { return e.direction == direction && e.type == type; }, what};
}

} // namespace once::testing
