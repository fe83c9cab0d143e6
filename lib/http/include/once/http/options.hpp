// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/http/idempotency_key.hpp>
#include <once/options.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace once::http {

/// How requests are read and answered.
struct options {
    key_syntax syntax = key_syntax::quoted;

    /// Whether a request without a key is refused with 400. If not, it runs without a claim, and a repeat runs again.
    bool key_required = true;

    /// When it is set, the key of a request is a one-time token, issued to the principal for this purpose
    /// (`once::issue_token`), for example in a hidden field of a form. It is redeemed in the same transaction; one that
    /// is not valid is answered 403.
    std::string token_purpose{};

    /// First word of every scope, printable ASCII without spaces. Services that share a login role and a database but
    /// not their keys choose different ones.
    std::string scope_prefix = "http";

    /// What stands in front of the word in `type` of a problem. Give an address of your own, such as
    /// "https://api.example.com/problems/", if people should be able to look it up.
    std::string problem_base = "urn:once:problem:";

    /// Called with the text of the exception behind an answer `unavailable`, which the client is not shown. It is the
    /// server's text. May be called from any thread.
    std::function<void(std::string_view)> log{};

    /// Retry-After of an answer that knows no better: `unknown`, `deadline_exceeded`, `unavailable`. At least 1 second
    /// is sent.
    once::detail::time_field<"http::options.retry_after"> retry_after{std::chrono::milliseconds{2'000}};

    /// `call.stored` decides which statuses are kept for repeats.
    once::call_options call{};
};

} // namespace once::http
