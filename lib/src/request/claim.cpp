// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/options.hpp>

#include "request/claim_answer.hpp"
#include "request/statements_for.hpp"
#include "wire/borrowed.hpp"
#include "wire/stored_response.hpp"
#include "wire/validate_response.hpp"

#include <pqxx/result>

namespace once {

claim_result claim(borrowed const& tx, request const& request, claim_options const& options) {
    validate(request);
    detail::check(options);
    detail::require_utf8(*tx);
    parameters values;
    detail::add_key(values, request);
    detail::add_fingerprint(values, request.fingerprint);
    values.add(options.retention.count()).add(options.wait.count());
    auto const answer = tx->exec(detail::statements_for(tx).try_claim, detail::to_pqxx(values));
    return detail::to_claim_result<claim_result>(answer, request, "an idempotency record");
}

void complete(borrowed const& tx, started const& claimed, std::optional<response> const& response) {
    validate(request{.scope = claimed.scope, .key = claimed.key, .fingerprint = once::no_fingerprint});
    if (response) {
        detail::validate(*response, call_options{}.max_response_bytes);
    }
    detail::require_utf8(*tx);
    parameters values;
    values.add(claimed.scope).add(claimed.key);
    detail::add_response(values, response);
    tx->exec(detail::statements_for(tx).complete, detail::to_pqxx(values)).expect_rows(1);
}

} // namespace once
