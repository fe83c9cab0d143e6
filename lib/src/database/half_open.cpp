// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/half_open.hpp"

#include "sql/session_statements.hpp"

#include <array>
#include <exception>
#include <string>

namespace once::detail {

namespace {

using namespace std::chrono_literals;

// What is locked stays so until then at the latest; and many who wait for one key ask once.
constexpr auto between_looks = 2s;

} // namespace

void half_open_sessions::end(session& on, std::chrono::milliseconds silent_for, time_point deadline,
                             log_function const& log) noexcept {
    auto const now = std::chrono::steady_clock::now().time_since_epoch();
    auto due = m_next_look.load();
    if (now.count() < due ||
        !m_next_look.compare_exchange_strong(due, (now + time_point::duration{between_looks}).count())) {
        return;
    }
    try {
        statement const look{std::string{sql::end_half_open}, parameters{silent_for.count()}};
        auto const ended = on.ask(look, deadline);
        for (int row = 0; row < ended.rows(); ++row) {
            log("once: ended session " + std::to_string(ended.int4(0, row)) +
                " of the server: it had waited " + std::to_string(ended.int8(1, row)) +
                " ms for the rest of what its client sent, and held its locks");
        }
    } catch (std::exception const& e) {
        // The caller goes on without: the locks go when the server notices.
        log(std::string{"once: could not look for sessions that lost their clients: "} + e.what());
    }
}

} // namespace once::detail
