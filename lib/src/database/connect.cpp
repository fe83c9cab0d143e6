// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "database/connect.hpp"

#include <once/error.hpp>

#include "database/poll_timeout.hpp"
#include "sql/session_statements.hpp"

#include <pqxx/except>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <poll.h>
#include <tuple>

namespace once::detail {

namespace {

using owned_connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

[[noreturn]] void fail(owned_connection const& connection, std::string const& why) {
    std::string text = "once: cannot connect: " + why;
    if (connection) {
        text += PQerrorMessage(connection.get());
    }
    throw pqxx::broken_connection{text};
}

// The rest of a connection attempt, bounded to the millisecond, which PQconnectdb is not.
void finish_connecting(owned_connection const& connection, time_point deadline) {
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(connection.get()) == CONNECTION_BAD) {
            fail(connection, "");
        }
        auto const timeout = poll_timeout(deadline);
        pollfd socket{PQsocket(connection.get()),
                      static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
        if (timeout == 0 || ::poll(&socket, 1, timeout) == 0) {
            fail(connection, "no answer in time from host " + std::string{PQhost(connection.get())});
        }
        state = PQconnectPoll(connection.get());
    }
}

} // namespace

connect_plan::connect_plan(std::string const& conninfo) : m_conninfo{conninfo} {
    if (conninfo.find('\0') != std::string::npos) {
        throw invalid_argument{"conninfo", "it contains a NUL"};
    }
    char* error = nullptr;
    std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> const options{
        PQconninfoParse(conninfo.c_str(), &error), &PQconninfoFree};
    std::unique_ptr<char, decltype(&PQfreemem)> const message{error, &PQfreemem};
    if (!options) {
        // libpq's message can quote the part it stumbled over, which may be a password.
        throw invalid_argument{"conninfo",
                               "libpq does not understand it; it takes \"keyword=value ...\" with the "
                               "keywords of the PostgreSQL documentation, or a postgresql:// URI"};
    }
    bool target_given = std::getenv("PGTARGETSESSIONATTRS") != nullptr; // NOLINT(concurrency-mt-unsafe)
    for (auto const* option = options.get(); option->keyword != nullptr; ++option) {
        std::string_view const keyword{option->keyword};
        if ((keyword == "host" || keyword == "hostaddr") && option->val != nullptr) {
            m_several_hosts =
                m_several_hosts || std::string_view{option->val}.find(',') != std::string_view::npos;
        }
        target_given = target_given || (keyword == "target_session_attrs" && option->val != nullptr);
    }
    m_wants_primary = m_several_hosts && !target_given;
}

PGconn* connect_plan::connect(time_point deadline) const {
    auto const left = std::chrono::ceil<std::chrono::seconds>(deadline - std::chrono::steady_clock::now());
    auto const seconds = std::to_string(std::max<std::chrono::seconds::rep>(left.count(), 1));
    // Later entries win over earlier ones, and dbname expands to the whole string.
    std::array<char const*, 6> keywords{"fallback_application_name", "dbname", "client_encoding",
                                        "connect_timeout"};
    std::array<char const*, 6> values{"once", m_conninfo.c_str(), "UTF8", seconds.c_str()};
    if (m_wants_primary) {
        keywords[4] = "target_session_attrs";
        values[4] = "primary";
    }
    owned_connection connection{m_several_hosts ? PQconnectdbParams(keywords.data(), values.data(), 1)
                                                : PQconnectStartParams(keywords.data(), values.data(), 1),
                                &PQfinish};
    if (!connection || PQstatus(connection.get()) == CONNECTION_BAD) {
        fail(connection, "");
    }
    if (!m_several_hosts) {
        finish_connecting(connection, deadline);
    }
    return connection.release();
}

std::string to_hex_digits(std::int64_t timeline) {
    constexpr std::size_t digits = 8;
    std::array<char, 17> text{};
    auto const end = std::to_chars(text.data(), text.data() + text.size(), timeline, 16).ptr;
    std::string made{text.data(), end};
    std::ranges::transform(made, made.begin(),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c; });
    return std::string(digits - std::min(digits, made.size()), '0') + made;
}

std::int64_t from_hex_digits(std::string_view digits) noexcept {
    std::int64_t timeline = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), timeline, 16);
    return timeline;
}

server_facts inspect_server(session& session, time_point deadline) {
    auto const row = session.ask({std::string{sql::session_facts}, {}}, deadline);
    auto const refuse = [](std::string const& what) { throw configuration_error{"once: " + what}; };
    if (row.bytes(3) != "UTF8") {
        refuse("the database is encoded in " + row.text(3) + ": only UTF8 keeps every text as it is");
    }
    if (row.bytes(4) != "UTF8") {
        refuse("client_encoding is " + row.text(4) + " instead of UTF8; something between changes it");
    }
    if (row.bytes(5) != "on") {
        refuse("standard_conforming_strings is off: set it on for this role or database");
    }
    if (std::stoi(row.text(8)) < 140000) {
        refuse("the server is older than PostgreSQL 14");
    }
    server_facts facts;
    facts.standby = row.is_true(0);
    facts.system_identifier = row.text(1);
    facts.timeline = row.is_null(2) ? 0 : from_hex_digits(row.bytes(2));
    facts.loses_data_in_crash = row.bytes(6) != "on" || row.bytes(7) != "on";
    facts.through_pooler = row.int4(9) != PQbackendPID(session.raw());
    facts.role = row.text(10);
    return facts;
}

bool shares_prepared_statements(session& first, connect_plan const& plan, time_point deadline) {
    auto const name = first.name_of_prepared(sql::session_facts);
    if (name.empty()) {
        return false;
    }
    auto const limit = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::seconds{1});
    try {
        session second{plan.connect(limit), false};
        // A pooler hands out what it got back last. That is the session of `first`, unless it has not got it back yet.
        constexpr int most_looks = 5;
        for (int look = 0; look < most_looks; ++look) {
            std::ignore = first.ask({std::string{sql::session_facts}, {}}, limit);
            if (second.ask({std::string{sql::knows_prepared}, parameters{std::string_view{name}}}, limit)
                    .is_true(0)) {
                return true;
            }
        }
        return false;
    } catch (pqxx::broken_connection const&) {
        return false; // a pooler with all of its sessions in use lets nobody in
    }
}

} // namespace once::detail
