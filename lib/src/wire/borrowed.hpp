// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/error.hpp>
#include <once/statement.hpp>

#include <pqxx/connection>
#include <pqxx/dbtransaction>
#include <pqxx/params>

namespace once::detail {

// What every function on a transaction of the caller's needs.

/// For libpqxx. Bytes are not copied: `from` must live until the statement has run.
[[nodiscard]] inline pqxx::params to_pqxx(parameters const& from) {
    pqxx::params made;
    for (auto const& value : from.values()) {
        if (!value.data) {
            made.append();
        } else if (value.binary) {
            made.append(pqxx::binary_cast(*value.data));
        } else {
            made.append(*value.data);
        }
    }
    return made;
}

/// In any other encoding the server would convert the texts, and later readers would get other bytes.
/// @throws once::configuration_error
inline void require_utf8(pqxx::dbtransaction const& tx) {
    auto const encoding = tx.conn().get_client_encoding();
    if (encoding != "UTF8") {
        throw configuration_error{"once: client_encoding of the borrowed connection is " + encoding +
                                  " instead of UTF8: connect with client_encoding=UTF8"};
    }
}

} // namespace once::detail
