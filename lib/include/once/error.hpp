// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/outcome.hpp>

#include <stdexcept>
#include <string>

namespace once {

/// Root of every exception that this library itself throws.
/**
 * Expected outcomes (a repeat, a stale version, a missing row) are values, never exceptions. An exception means
 * misuse, a bad configuration, a schema that does not fit, or a world that is broken beyond what a retry can fix.
 *
 * Texts say what was attempted, with which key or id, and what to do next. They never contain payloads, responses,
 * request bodies or passwords.
 *
 * Exceptions of libpqxx are not wrapped: whatever the caller's own statements throw passes through untouched.
 * `once::advise` tells for any exception what may be done now.
 */
class ONCE_EXPORT error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An argument breaks a documented rule. Nothing was sent to the database; the connection stays usable.
class ONCE_EXPORT invalid_argument : public error {
public:
    /// @param field  the name of the offending field as the caller knows it, e.g. `request.key`
    /// @param reason what is wrong and which values are allowed; never the value itself
    invalid_argument(std::string field, std::string const& reason)
        : error{"once: invalid " + field + ": " + reason}, m_field{std::move(field)} {}

    /// Name of the field that was refused.
    [[nodiscard]] std::string const& field() const noexcept { return m_field; }

private:
    std::string m_field;
};

/// The library was used in a way its contract forbids, e.g. a callback that commits by itself.
class ONCE_EXPORT misuse : public error {
public:
    using error::error;
};

/// A statement failed inside a callback, the callback went on as if it had not, and PostgreSQL had already given the
/// transaction up.
/**
 * COMMIT of such a transaction is answered ROLLBACK, without an error; libpqxx calls that success. The library looks
 * before it commits: nothing took effect, the key is free. Let the exception out of the callback, or wrap statements
 * that may fail in a `pqxx::subtransaction`.
 */
class ONCE_EXPORT transaction_poisoned : public misuse {
public:
    using misuse::misuse;
};

/// The database cannot keep the library's promises: wrong encoding, a replica, an old primary, ...
class ONCE_EXPORT configuration_error : public error {
public:
    using error::error;
};

/// The schema is missing, older, newer or was altered. The text names the migration file or the object.
class ONCE_EXPORT schema_error : public error {
public:
    using error::error;
};

/// A row holds something that the library never writes.
class ONCE_EXPORT corrupt_record : public error {
public:
    using error::error;
};

/// `reply::expect_committed` was called, and the effect does not stand, or nobody knows: the text and `outcome` say
/// which.
class ONCE_EXPORT not_committed : public error {
public:
    explicit not_committed(once::outcome outcome);

    [[nodiscard]] once::outcome outcome() const noexcept { return m_outcome; }

private:
    once::outcome m_outcome;
};

/// The deadline of a call passed before anything was committed. Certain: nothing took effect.
class ONCE_EXPORT deadline_exceeded : public error {
public:
    using error::error;
};

} // namespace once
