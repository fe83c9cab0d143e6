// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/http/export.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/response.hpp>

#include <chrono>
#include <optional>
#include <string_view>

namespace once::http {

/// What a request is refused for. The words are stable: they are the last part of `type` in the answer.
enum class problem {
    /// 400: there is no key.
    key_missing,
    /// 400: the key is not one.
    key_invalid,
    /// 409: the first request with this key is still running. Repeat it.
    in_progress,
    /// 422: the key was used for another request. Nothing of that one is shown.
    key_reused,
    /// 503: whether it took effect could not be found out. Repeat it with the same key.
    unknown,
    /// 503: time ran out before anything took effect. Repeat it.
    deadline_exceeded,
    /// 503: the database cannot be reached, or cannot work now; nothing took effect. Repeat it.
    unavailable,
    /// 403: the one-time token is not valid: unknown, used for something else, expired, or another principal's.
    refused,
    /// 503: the lease under which the work was to be done is held by another process; nothing took effect. Repeat it.
    lease_lost,
    /// 500: whether it took effect could not be found out, and there was no key to ask for.
    unknown_without_key,
};

/// The word for it, e.g. "key_reused".
[[nodiscard]] ONCE_HTTP_EXPORT std::string_view to_string(problem value) noexcept;

/// Its HTTP status.
[[nodiscard]] ONCE_HTTP_EXPORT int status_of(problem value) noexcept;

/// The answer: a body of `application/problem+json` (RFC 9457) with type, title, status and detail, `Cache-Control:
/// no-store`, and `Retry-After` where a repeat helps.
/**
 * Texts are constant: nothing of the request is in them.
 *
 * @param base        what stands in front of the word in `type`
 * @param retry_after rounded up to whole seconds, at least 1; not sent for 400, 422 and 500
 */
[[nodiscard]] ONCE_HTTP_EXPORT response problem_response(problem value, std::string_view base,
                                                         std::chrono::milliseconds retry_after);

/// The same for a request without a usable key, saying what is wrong with it.
[[nodiscard]] ONCE_HTTP_EXPORT response problem_response(key_defect defect, std::string_view base);

} // namespace once::http
