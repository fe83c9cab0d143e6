// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <pqxx/connection>
#include <pqxx/params>
#include <pqxx/result>

#include <optional>
#include <string>
#include <string_view>

namespace once::testing {

/// A connection on which a test says BEGIN and COMMIT itself: plain SQL, past the library.
/**
 * `search_path` is `proof, once`. Not thread-safe: one thread each.
 */
class session {
public:
    explicit session(std::string const& dsn);

    pqxx::result rows(std::string const& sql);
    pqxx::result rows(std::string const& sql, pqxx::params const& arguments);
    void run(std::string const& sql) { rows(sql); }
    /// The first field of the first row, "NULL" for null, "" without a row.
    std::string ask(std::string const& sql);
    /// The SQLSTATE that the statement fails with, "" when it works; the transaction is rolled back then.
    std::string refused(std::string const& sql);

private:
    pqxx::connection m_connection;
};

/// What once.next_batch() returned.
struct batch {
    pqxx::result rows; ///< the messages and, at the end, the row that is none
    std::string token;
    bool whole{};        ///< nothing is behind it
    bool worth_saving{}; ///< whether even an empty batch should be acknowledged

    [[nodiscard]] int size() const { return static_cast<int>(rows.size()) - 1; }
};

/// `select id, message_id, key, payload_json, blocked, batch, (batch).more` of the next messages.
[[nodiscard]] batch next_batch(session& db, std::string_view subscription, int limit, int slice = 0);

/// Acknowledges all of a batch, or only up to a message of it.
void acknowledge(session& db, std::string_view subscription, batch const& what,
                 std::optional<std::string> last_id = {}, std::optional<int> messages = {}, int slice = 0);

/// SQL that says which messages are parked in these places, as settle_parked() wants them. `ids`: an array of SQL.
[[nodiscard]] std::string messages_parked_at(std::string const& ids);

/// Whether the tests were asked to take their time: ONCE_LONG=1, or tests/run --thorough.
[[nodiscard]] bool long_form();

} // namespace once::testing
