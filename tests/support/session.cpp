// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "session.hpp"

#include <pqxx/except>
#include <pqxx/nontransaction>

#include <cstdlib>

namespace once::testing {

session::session(std::string const& dsn) : m_connection{dsn} {
    run("set client_min_messages = error");
    run("set search_path = proof, once");
}

pqxx::result session::rows(std::string const& sql) {
    return pqxx::nontransaction{m_connection}.exec(sql);
}

pqxx::result session::rows(std::string const& sql, pqxx::params const& arguments) {
    return pqxx::nontransaction{m_connection}.exec(sql, arguments);
}

std::string session::ask(std::string const& sql) {
    auto const found = rows(sql);
    return found.empty() ? "" : found[0][0].as<std::string>("NULL");
}

std::string session::refused(std::string const& sql) {
    try {
        run(sql);
        return "";
    } catch (pqxx::insufficient_privilege const&) {
        run("rollback");
        return "42501"; // libpqxx 7 drops it on its way
    } catch (pqxx::sql_error const& e) {
        run("rollback");
        return std::string{e.sqlstate()};
    }
}

batch next_batch(session& db, std::string_view subscription, int limit, int slice) {
    batch answer{.rows = db.rows("select id, message_id, key, payload_json, blocked, batch, (batch).more "
                                 "from once.next_batch($1, $2, $3)",
                                 pqxx::params{subscription, slice, limit}),
                 .token = {}};
    auto const end = answer.rows[answer.rows.size() - 1];
    answer.token = end[5].as<std::string>();
    answer.whole = !end[6].as<bool>();
    answer.worth_saving = end[4].as<bool>();
    return answer;
}

void acknowledge(session& db, std::string_view subscription, batch const& what,
                 std::optional<std::string> last_id, std::optional<int> messages, int slice) {
    if (!last_id && !what.whole) {
        last_id = what.rows[what.size() - 1][0].as<std::string>();
    }
    db.rows("select once.acknowledge($1, $2, $3, $4::bigint, $5::integer)",
            pqxx::params{subscription, slice, what.token, last_id, messages});
}

std::string messages_parked_at(std::string const& ids) {
    return "array(select (select message_id::uuid from parked_message as p where p.id = u.id limit 1) from "
           "unnest(" +
           ids + ") with ordinality as u (id, place) order by place)";
}

bool long_form() {
    char const* const wish = std::getenv("ONCE_LONG"); // NOLINT(concurrency-mt-unsafe)
    return wish != nullptr && *wish != '\0' && std::string_view{wish} != "0";
}

} // namespace once::testing
