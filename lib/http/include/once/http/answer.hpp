// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/http/export.hpp>
#include <once/http/options.hpp>
#include <once/reply.hpp>
#include <once/response.hpp>

#include <string_view>
#include <vector>

namespace once::http {

/// Name of the header, with the value `true`, that marks a stored answer.
inline constexpr std::string_view replayed_header = "Idempotent-Replayed";

/// The HTTP response for what became of a request.
/**
 * | outcome | status |
 * | --- | --- |
 * | done | that of the response |
 * | replayed | the stored one, with `Idempotent-Replayed: true` and `Cache-Control: no-store`; 204 if only the key was
 * kept |
 * | in_progress | 409 with `Retry-After` |
 * | key_reused | 422 |
 * | unknown | 503 with `Retry-After` |
 *
 * The headers are those of the response without what `without_connection_headers` removes. A replay says `no-store`
 * whatever the first answer said about caching, because it may show a state that has changed since.
 *
 * Pure: no I/O.
 */
[[nodiscard]] ONCE_HTTP_EXPORT response answer(reply const& reply, options const& options = {});

/// The headers without those that belong to one message or one connection.
/**
 * Removed are Connection and what it names, Keep-Alive, Proxy-Connection, Proxy-Authenticate, TE, Trailer,
 * Transfer-Encoding, Upgrade, Content-Length and Date. The server makes its own for every answer; a stored
 * Content-Length or Transfer-Encoding beside them would let two readers disagree about where the answer ends.
 */
[[nodiscard]] ONCE_HTTP_EXPORT std::vector<header> without_connection_headers(std::vector<header> headers);

/// Takes the headers with this name out.
/// @return what was taken out, in order
ONCE_HTTP_EXPORT std::vector<header> take_headers(std::vector<header>& headers, std::string_view name);

} // namespace once::http
