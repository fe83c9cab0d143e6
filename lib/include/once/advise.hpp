// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <exception>
#include <string_view>

namespace once {

/// What may be done after an exception.
enum class advice {
    /// Certain: nothing took effect, and the same transaction may succeed when it is run again from its beginning.
    retry_transaction,
    /// Certain: nothing took effect. The connection is gone: connect again, then run the transaction again.
    reconnect,
    /// The transaction may have been committed. Find out by its key (claim it again) before doing anything else.
    ask_database_first,
    /// Running the same thing again will fail the same way.
    give_up,
};

[[nodiscard]] ONCE_EXPORT std::string_view to_string(advice value) noexcept;

/// Says what may be done now, for an exception of libpqxx, of the library, or of the caller.
/**
 * Decides by SQLSTATE, because libpqxx's class tree differs between its major versions and leaves some states
 * without a class. `once::execute` follows the same advice by itself (but for lock_not_available, which it leaves
 * to the caller); this is for transactions that the caller owns.
 */
[[nodiscard]] ONCE_EXPORT advice advise(std::exception const& error) noexcept;

/// The advice for an error of the server by its SQLSTATE alone (PostgreSQL documentation, appendix A).
/**
 * The SQLSTATE alone does not say whether the session has ended, nor whether COMMIT was under way: an error of severity
 * FATAL or PANIC has ended it, whatever its state. So class 08 is `ask_database_first`, but for 08001 and 08004, where
 * no connection came about: a pooler says 08P01 when it loses the server, also during COMMIT.
 */
[[nodiscard]] ONCE_EXPORT advice advise_sqlstate(std::string_view sqlstate) noexcept;

} // namespace once
