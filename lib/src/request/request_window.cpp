// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/options.hpp>
#include <once/request_window.hpp>

#include "request/claim_answer.hpp"
#include "sql/texts.hpp"
#include "sql/window_statements.hpp"
#include "text/check_range.hpp"
#include "wire/borrowed.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/result>

namespace once {

namespace {

void check(request const& request, std::chrono::milliseconds window, claim_options const& options) {
    using namespace std::chrono_literals;
    validate(request);
    if (request.fingerprint.empty()) {
        throw invalid_argument{"request.fingerprint", "a window compares by it, so there must be one"};
    }
    detail::check_range<std::chrono::milliseconds>(window, 1ms, 24h, "window", "1 millisecond and 1 day");
    detail::check_range<std::chrono::milliseconds>(options.wait, 0ms, 1h, "claim_options.wait",
                                                   "0 and 1 hour");
}

} // namespace

claim_result open_window(borrowed const& tx, request const& request, std::chrono::milliseconds window,
                         claim_options const& options) {
    check(request, window, options);
    detail::require_utf8(*tx);
    parameters values;
    detail::add_key(values, request);
    detail::add_fingerprint(values, request.fingerprint);
    values.add(window.count()).add(options.wait.count());
    auto const answer =
        tx->exec(sql::texts<sql::window_statements>(tx.schema()).open, detail::to_pqxx(values));
    return detail::to_claim_result<claim_result>(answer, request, "a request window");
}

} // namespace once
