// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/request.hpp>
#include <once/response.hpp>
#include <once/statement.hpp>

#include <pqxx/result>

#include <optional>
#include <string>

namespace once::detail {

/// Appends scope and key.
void add_key(parameters& to, request const& request);
/// The 32 bytes of the SHA-256 that the fingerprint is; empty when there is none.
[[nodiscard]] std::string digest_of(fingerprint const& fingerprint);
/// Appends what digest_of() returned, null when it is empty.
void add_digest(parameters& to, std::string const& digest);
/// Appends the digest of the fingerprint, null when there is none.
void add_fingerprint(parameters& to, fingerprint const& fingerprint);
/// Appends the five values of a response as complete() takes them; all null without one.
void add_response(parameters& to, std::optional<response> const& response);

/// Reads what the first row of an answer holds from column `first` on: status, headers, content type, body in hex.
/// @param where what the row was read from, for the error
/// @return nothing when the status is null: only the key was kept
/// @throws once::corrupt_record
[[nodiscard]] std::optional<response> read_response(pqxx::result const& answer, int first, char const* where);

} // namespace once::detail
