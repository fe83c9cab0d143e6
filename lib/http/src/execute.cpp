// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/advise.hpp>
#include <once/error.hpp>
#include <once/http/answer.hpp>
#include <once/http/execute.hpp>
#include <once/http/problem.hpp>
#include <once/token.hpp>

#include <pqxx/except>

#include <iterator>
#include <string_view>
#include <utility>

namespace once::http::detail {

namespace {

using callback_type = std::function<response(transaction&)>;

// Ends a transaction without a claim as `once::execute` would end it: without an effect.
struct not_kept {};

bool keeps(store policy, int status) noexcept {
    return status < (policy == store::success_and_client_errors ? 500 : 400);
}

response pass_by(database& db, bool safe, callback_type const& callback, options const& options) {
    response made;
    try {
        auto const reply = transact(
            db,
            [&](transaction& tx) {
                made = callback(tx);
                if (!keeps(options.call.stored, made.status)) {
                    throw not_kept{};
                }
            },
            options.call.transaction());
        if (reply.unknown()) {
            return problem_response(safe ? problem::unknown : problem::unknown_without_key,
                                    options.problem_base, options.retry_after);
        }
    } catch (not_kept const&) { // NOLINT(bugprone-empty-catch): it has done its work, which is the rollback
    }
    made.headers = without_connection_headers(std::move(made.headers));
    return made;
}

response claimed(database& db, request const& request, std::string const& key, callback_type const& callback,
                 options const& options) {
    std::vector<header> cookies; // of the last run of the callback: the one that was committed, if any was
    auto const work = [&](transaction& tx) {
        auto made = callback(tx);
        cookies = take_headers(made.headers, "Set-Cookie");
        made.headers = without_connection_headers(std::move(made.headers));
        return made;
    };
    auto const asked = request.fingerprint ? *request.fingerprint : fingerprint_of(request);
    auto const reply = options.token_purpose.empty()
                           ? once::execute(db,
                                           {.scope = scope_of(options.scope_prefix, request.principal),
                                            .key = key,
                                            .fingerprint = asked},
                                           work, options.call)
                           : once::execute(db,
                                           redemption{.token = key,
                                                      .principal = request.principal,
                                                      .purpose = options.token_purpose,
                                                      .fingerprint = asked},
                                           work, options.call);
    auto made = answer(reply, options);
    if (reply.done()) {
        made.headers.insert(made.headers.end(), std::make_move_iterator(cookies.begin()),
                            std::make_move_iterator(cookies.end()));
    }
    return made;
}

// Whether the database, and not the request, is why nothing took effect, so that the same request can succeed later.
bool is_outage(std::exception const& e) {
    auto const next = advise(e);
    if (next == advice::reconnect || next == advice::retry_transaction) {
        return true;
    }
    auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e);
    std::string_view const state = sql != nullptr ? std::string_view{sql->sqlstate()} : std::string_view{};
    // Out of space, memory or connections; cancelled by an operator or a timeout; a failing disk; read-only, as a
    // primary that is being replaced.
    return state.starts_with("53") || state.starts_with("57") || state.starts_with("58") || state == "25006";
}

} // namespace

response execute(database& db, request const& request, callback_type const& callback,
                 options const& options) {
    try {
        if (is_safe(request.method)) {
            return pass_by(db, true, callback, options);
        }
        auto const key = key_of(request, options.syntax);
        if (auto const* const defect = std::get_if<key_defect>(&key)) {
            if (*defect == key_defect::missing && !options.key_required) {
                return pass_by(db, false, callback, options);
            }
            return problem_response(*defect, options.problem_base);
        }
        return claimed(db, request, std::get<std::string>(key), callback, options);
    } catch (deadline_exceeded const&) {
        return problem_response(problem::deadline_exceeded, options.problem_base, options.retry_after);
    } catch (std::exception const& e) {
        if (!is_outage(e)) {
            throw;
        }
        if (options.log) {
            options.log(e.what());
        }
        return problem_response(problem::unavailable, options.problem_base, options.retry_after);
    }
}

} // namespace once::http::detail
