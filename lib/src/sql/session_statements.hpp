// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/options.hpp>

#include "text/quote.hpp"

#include <array>
#include <string>
#include <string_view>

namespace once::sql {

/// BEGIN at one isolation level, always read write, whatever the defaults of the session are.
[[nodiscard]] inline std::string begin(isolation level) {
    switch (level) {
    case isolation::repeatable_read:
        return "begin isolation level repeatable read read write";
    case isolation::serializable:
        return "begin isolation level serializable read write";
    case isolation::read_committed:
        break;
    }
    return "begin isolation level read committed read write";
}

/// The ends of a transaction.
inline constexpr char const* commit = "commit";
inline constexpr char const* rollback = "rollback";

/// For one transaction.
inline constexpr char const* no_jit = "/* once: no jit */ select set_config('jit', 'off', true)";

/// What makes a session as it was when it was new, before it is handed to the next call: its role (RESET ALL leaves
/// that alone), and every other setting. In the transaction that follows, which may still choose its isolation level,
/// since neither takes a snapshot. Prepared statements stay. A transaction whose first statement looks at the role
/// leaves out the first of the two.
inline constexpr std::array<char const*, 2> as_new{"/* once: clean session */ reset role",
                                                   "/* once: clean session */ reset all"};

/// The library's own statements at the end of a callback's transaction, where callbacks change their role: `leave_role`
/// twice in front of them, `return_role` behind, so that the caller's and the triggers at COMMIT run as they would
/// without.
inline constexpr std::array<char const*, 2> leave_role{
    "/* once: leave role */ select set_config('once.callback_role', current_setting('role'), true)",
    "/* once: leave role */ reset role"};
inline constexpr char const* return_role =
    "/* once: return role */ select set_config('role', current_setting('once.callback_role'), true)";

/// In front of the end, when the callback changed it: what the library sends is UTF-8.
inline constexpr char const* speak_utf8 = "/* once: encoding */ set local client_encoding to 'UTF8'";

/// Notifications of the channel come to the session from now on.
[[nodiscard]] inline std::string listen(std::string_view channel) {
    return "listen " + quote_identifier(channel);
}

/// What a new connection is checked for. One row:
///   0 boolean  in recovery: a standby
///   1 text     system identifier of the cluster
///   2 text     timeline, 8 hex digits; null on a standby. From the name of the current WAL file, because
///              pg_control_checkpoint() still shows the old timeline right after a promotion.
///   3 text     server_encoding     4 text  client_encoding      5 text  standard_conforming_strings
///   6 text     fsync               7 text  full_page_writes     8 text  server_version_num
///   9 integer  process of the server that answers      10 text  current_user
inline constexpr std::string_view session_facts = R"sql(/* once: session_facts */
select pg_is_in_recovery(),
       (select system_identifier::text from pg_control_system()),
       case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_lsn()), 8) end,
       current_setting('server_encoding'), current_setting('client_encoding'),
       current_setting('standard_conforming_strings'),
       current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_version_num'),
       pg_backend_pid(), current_user::text)sql";

/// Ends sessions of this role in this database that stand between two of the library's own messages and wait for the
/// next. PostgreSQL calls that active; idle is only what waits after a whole exchange. $1 bigint: milliseconds that
/// they must have waited. A row for each: 0 integer process, 1 bigint how long it had waited, in milliseconds.
inline constexpr std::string_view end_half_open = R"sql(/* once: end_half_open */
select pid, (extract(epoch from clock_timestamp() - state_change) * 1000)::bigint, pg_terminate_backend(pid)
from pg_stat_activity
where datname = current_database() and usename = session_user and pid <> pg_backend_pid()
  and state = 'active' and wait_event_type = 'Client' and wait_event = 'ClientRead'
  and (query like '/* once: %' or query = 'commit')
  and state_change < clock_timestamp() - $1::bigint * interval '1 millisecond')sql";

/// Whether this session has a statement that another client prepared. $1 text: its name
inline constexpr std::string_view knows_prepared = R"sql(/* once: knows_prepared */
select exists (select from pg_prepared_statements where name = $1::text))sql";

/// $1 text: which savepoints the transaction is in, for staged_work. It rolls back with them. One row: what it was
/// before, and what it is.
inline constexpr std::string_view set_staged_mark = R"sql(/* once: set_staged_mark */
select current_setting('once.staged', true), set_config('once.staged', $1, true))sql";
inline constexpr std::string_view staged_mark = R"sql(/* once: staged_mark */
select current_setting('once.staged', true))sql";

} // namespace once::sql
