// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>

#include "request/work.hpp"
#include "sql/claim_statements.hpp"
#include "sql/lease_statements.hpp"
#include "sql/session_statements.hpp"
#include "wire/interval.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/except>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace once::detail {

namespace {

constexpr std::string_view claimed_twice = "ON006";
constexpr std::string_view record_locked = "55P03";

} // namespace

parameters call_context::settings_values(session const& on) const {
    parameters values;
    values.add(options.durability != durability::as_configured);
    values.add(std::to_string(idle_limit().count()));
    values.add(on.role());
    return values;
}

void call_context::add_claim(parameters& to, bool by_row, std::chrono::milliseconds wait) const {
    if (redeeming != nullptr) {
        to.add(request->key).add(redeeming->principal).add(redeeming->purpose);
    } else {
        add_key(to, *request);
    }
    add_digest(to, digest);
    if (by_row) {
        add_interval(to, record.retention);
    }
    add_interval(to, wait);
}

statement call_context::claim_statement(session const& on) const {
    auto const& texts = pool.texts<sql::claim_statements>();
    auto const& text = request == nullptr     ? texts.settings
                       : redeeming != nullptr ? texts.redeem
                       : writes_once()        ? texts.begin_request
                                              : texts.claim;
    auto values = settings_values(on);
    if (request != nullptr) {
        add_claim(values, !writes_once(), record.wait);
    }
    return {text, std::move(values)};
}

statement call_context::claim_by_row_statement(session const& on, std::chrono::milliseconds wait) const {
    auto values = settings_values(on);
    add_claim(values, true, wait);
    return {pool.texts<sql::claim_statements>().claim, std::move(values)};
}

statement call_context::claim_or_abort_statement(session const& on) const {
    auto const& texts = pool.texts<sql::claim_statements>();
    auto values = settings_values(on);
    add_claim(values, !writes_once(), record.wait);
    values.add(to_hex_digits(pool.newest_timeline()));
    auto const& text = redeeming != nullptr ? texts.redeem_or_abort
                       : writes_once()      ? texts.begin_request_or_abort
                                            : texts.claim_or_abort;
    return {text, std::move(values)};
}

statement call_context::lookup_statement() const {
    statement lookup{pool.texts<sql::claim_statements>().lookup, {}};
    add_key(lookup.parameters, *request);
    add_digest(lookup.parameters, digest);
    return lookup;
}

statement call_context::finish_statement(std::optional<response> const& response) const {
    auto const& texts = pool.texts<sql::claim_statements>();
    statement finish{writes_once() ? texts.finish_request : texts.complete, {}};
    add_key(finish.parameters, *request);
    if (writes_once()) {
        add_digest(finish.parameters, digest);
        add_response(finish.parameters, response);
        add_interval(finish.parameters, record.retention);
        add_interval(finish.parameters, record_wait());
    } else {
        add_response(finish.parameters, response);
    }
    return finish;
}

statement call_context::finish_with_row_statement(statement const& last, int status) const {
    auto const& texts = pool.texts<sql::claim_statements>();
    auto const count = last.parameters.size();
    statement finish{writes_once() ? texts.finish_request_with_row(last.sql, count)
                                   : texts.complete_with_row(last.sql, count),
                     last.parameters};
    add_key(finish.parameters, *request);
    if (writes_once()) {
        add_digest(finish.parameters, digest);
        finish.parameters.add(status);
        add_interval(finish.parameters, record.retention);
        add_interval(finish.parameters, record_wait());
    } else {
        finish.parameters.add(status);
    }
    return finish;
}

void refuse_second_record(pg_result const& finished) {
    if (!finished.failed()) {
        return;
    }
    if (finished.sqlstate() == claimed_twice) {
        throw misuse{"once: the callback claimed the key of its own request; leave that key to execute(). "
                     "Nothing took effect"};
    }
    if (finished.sqlstate() == record_locked) {
        throw pqxx::serialization_failure{"once: the record of this key was locked by another transaction",
                                          "", "40001"};
    }
}

statement call_context::fence_guard() const {
    return {pool.texts<sql::lease_statements>().assert_fence,
            parameters{options.fence->lease, options.fence->number}};
}

bool keep_key_after_commit(call_context const& context, session& session, std::uint64_t before) noexcept {
    if (!context.writes_once() || session.commits() == before) {
        return false;
    }
    try {
        auto const claim = context.claim_by_row_statement(session, std::chrono::milliseconds{0});
        auto const until = std::chrono::steady_clock::now() + context.options.reply_timeout;
        session.settle(until);
        static_cast<void>(session.ask(claim, until));
    } catch (std::exception const& e) {
        context.pool.log(std::string{"once: a callback sent COMMIT, and its key could not be kept: "} +
                         e.what());
    }
    return true;
}

std::optional<claim_answer> roll_back_and_look(call_context const& context, session& session) noexcept {
    if (!context.writes_once() || !session.open() || context.deadline <= std::chrono::steady_clock::now()) {
        return std::nullopt;
    }
    try {
        static statement const rollback{sql::rollback, {}};
        auto const lookup = context.lookup_statement();
        std::vector<pg_result> answers;
        session.exchange(std::array{&rollback, &lookup}, context.reply_deadline(), answers);
        if (answers.back().failed()) {
            return std::nullopt;
        }
        auto answer = read_claim_answer(answers.back());
        bool const counts = answer.outcome == outcome::replayed || answer.outcome == outcome::key_reused;
        return counts ? std::optional{std::move(answer)} : std::nullopt;
    } catch (std::exception const&) {
        return std::nullopt;
    }
}

std::optional<claim_answer> after_failure(call_context const& context, session& session,
                                          std::uint64_t commits_before) noexcept {
    return keep_key_after_commit(context, session, commits_before) ? std::nullopt
                                                                   : roll_back_and_look(context, session);
}

} // namespace once::detail
