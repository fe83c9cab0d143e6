// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <libpq-fe.h>
#include <pqxx/except>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace once::detail {

/// An int4 in the binary format.
[[nodiscard]] constexpr std::int32_t int4(std::string_view bytes) noexcept {
    std::uint32_t value = 0;
    for (char const byte : bytes) {
        value = (value << 8U) | static_cast<unsigned char>(byte);
    }
    return static_cast<std::int32_t>(value);
}

/// One result of libpq, owned. Values are read in the binary format unless a function says text.
class pg_result {
public:
    pg_result() = default;
    explicit pg_result(PGresult* result) noexcept : m_result{result} {}

    [[nodiscard]] explicit operator bool() const noexcept { return m_result != nullptr; }
    [[nodiscard]] ExecStatusType status() const noexcept { return PQresultStatus(m_result.get()); }
    [[nodiscard]] bool ok() const noexcept {
        return status() == PGRES_COMMAND_OK || status() == PGRES_TUPLES_OK;
    }
    [[nodiscard]] bool failed() const noexcept { return status() == PGRES_FATAL_ERROR; }

    [[nodiscard]] std::string_view sqlstate() const noexcept { return field(PG_DIAG_SQLSTATE); }
    /// ERROR ends the transaction; FATAL and PANIC end the session, whatever the SQLSTATE says.
    [[nodiscard]] bool ended_session() const noexcept {
        auto severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
        if (severity.empty()) { // PgBouncer sends only the other one, and does not translate it
            severity = field(PG_DIAG_SEVERITY);
        }
        return severity == "FATAL" || severity == "PANIC";
    }
    /// Whether PostgreSQL itself says so. It names the routine that raised the error; a pooler that answers in its
    /// place does not, and what it says is no answer to the statement: the server may have run that one, and those
    /// behind it.
    [[nodiscard]] bool from_server() const noexcept { return !field(PG_DIAG_SOURCE_FUNCTION).empty(); }
    [[nodiscard]] std::string message() const { return PQresultErrorMessage(m_result.get()); }
    [[nodiscard]] std::string_view command_tag() const noexcept { return PQcmdStatus(m_result.get()); }
    [[nodiscard]] std::string_view field(int code) const noexcept {
        char const* const text = PQresultErrorField(m_result.get(), code);
        return text == nullptr ? std::string_view{} : std::string_view{text};
    }

    [[nodiscard]] int columns() const noexcept { return PQnfields(m_result.get()); }
    [[nodiscard]] int rows() const noexcept { return PQntuples(m_result.get()); }
    [[nodiscard]] bool is_null(int column, int row = 0) const noexcept {
        return PQgetisnull(m_result.get(), row, column) != 0;
    }
    /// The bytes of a value as they came.
    [[nodiscard]] std::string_view bytes(int column, int row = 0) const noexcept {
        return {PQgetvalue(m_result.get(), row, column),
                static_cast<std::size_t>(PQgetlength(m_result.get(), row, column))};
    }
    [[nodiscard]] std::string text(int column, int row = 0) const { return std::string{bytes(column, row)}; }
    /// An int4 in the binary format.
    [[nodiscard]] std::int32_t int4(int column, int row = 0) const noexcept {
        return detail::int4(bytes(column, row));
    }
    /// A boolean in the binary format; null is not true.
    [[nodiscard]] bool is_true(int column, int row = 0) const noexcept {
        return bytes(column, row) == std::string_view{"\1", 1};
    }
    /// An int8 in the binary format; also a time, in microseconds since 2000.
    [[nodiscard]] std::int64_t int8(int column, int row = 0) const noexcept {
        std::uint64_t value = 0;
        for (char const byte : bytes(column, row)) {
            value = (value << 8U) | static_cast<unsigned char>(byte);
        }
        return static_cast<std::int64_t>(value);
    }

private:
    struct clear {
        void operator()(PGresult* result) const noexcept { PQclear(result); }
    };
    std::unique_ptr<PGresult, clear> m_result{};
};

/// Takes a value of a composite type apart, in the binary format.
/// @throws once::error when the value is not one of `fields.size()` fields
void split_composite(std::string_view value, std::span<std::optional<std::string_view>> fields);

/// A statement that the library prepared is not there, or stands for something already: a pooler hands the session to
/// several clients. Only the library's own exchanges throw it; a caller's own prepared statements are the caller's.
class session_is_shared : public pqxx::sql_error {
public:
    using pqxx::sql_error::sql_error;
};

/// Throws what libpqxx would have thrown for a failed result, so that callers meet one family of exceptions.
[[noreturn]] void throw_sql_error(pg_result const& result, std::string const& sql);

} // namespace once::detail
