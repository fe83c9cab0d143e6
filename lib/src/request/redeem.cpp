// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/token.hpp>

#include "request/claim_answer.hpp"
#include "request/statements_for.hpp"
#include "wire/borrowed.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/params>
#include <pqxx/result>

namespace once {

redeem_result redeem(borrowed const& tx, redemption const& redemption, claim_options const& options) {
    auto const record = record_of(redemption);
    detail::check(options);
    detail::require_utf8(*tx);
    parameters values{record.key, redemption.principal, redemption.purpose};
    detail::add_fingerprint(values, record.fingerprint);
    values.add(options.retention.count()).add(options.wait.count());
    auto const answer = tx->exec(detail::statements_for(tx).try_redeem, detail::to_pqxx(values));
    return detail::to_claim_result<redeem_result>(answer, record, "an idempotency record");
}

} // namespace once
