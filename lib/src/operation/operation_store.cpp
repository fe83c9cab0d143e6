// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "operation/operation_store.hpp"

#include <once/error.hpp>
#include <once/execute.hpp>

#include "wire/binary_array.hpp"
#include "wire/borrowed.hpp"
#include "wire/stored_response.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace once::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr std::string_view operation_lost = "ON040";

template <class Row>
std::string text_or_empty(Row const& row, int column) {
    return row[column].is_null() ? std::string{} : row[column].template as<std::string>();
}

operation_state read(pqxx::result const& answer, time_point owned_until) {
    auto const row = answer[0];
    operation_state made{.outcome = text_or_empty(row, 0),
                         .scope = text_or_empty(row, 1),
                         .key = text_or_empty(row, 2),
                         .name = text_or_empty(row, 3),
                         .recovery_point = text_or_empty(row, 5),
                         .retry_after = std::chrono::milliseconds{row[10].as<std::int64_t>()},
                         .response = read_response(answer, 11, "an operation"),
                         .owned_until = owned_until};
    if (!row[4].is_null()) {
        made.fence = row[4].as<std::int64_t>();
        made.attempt = row[7].as<int>();
        made.data = nlohmann::json::parse(text_or_empty(row, 8));
        made.call_keys = nlohmann::json::parse(text_or_empty(row, 9));
    }
    if (!row[6].is_null()) {
        made.call = text_or_empty(row, 6);
    }
    return made;
}

std::int64_t count(std::chrono::milliseconds time) {
    return time.count();
}

} // namespace

operation_store::operation_store(database& db, operation_plan const& plan, std::string owner)
    : m_own_transactions{plan.options().transaction},
      m_db{&db},
      m_plan{&plan},
      m_owner{std::move(owner)},
      m_sql{db.schema()} {
    // The functions of the schema read what they waited for in a new statement, which only this level shows.
    m_own_transactions.isolation_level = isolation::read_committed;
}

std::optional<operation_state> operation_store::take(std::string const& sql, parameters const& values) {
    auto const sent = to_pqxx(values);
    operation_state made;
    auto const reply = transact(
        *m_db,
        [&](transaction& tx) {
            auto const until = std::chrono::steady_clock::now() + m_plan->options().lease;
            made = read(tx.exec(sql, sent), until);
        },
        m_own_transactions);
    return reply.unknown() ? std::nullopt : std::optional{std::move(made)};
}

std::optional<operation_state> operation_store::begin(request const& request, std::string const& data) {
    auto const& options = m_plan->options();
    std::vector<std::string> names;
    for (auto const& one : m_plan->phases()) {
        names.push_back(one.name);
    }
    parameters values;
    add_key(values, request);
    add_fingerprint(values, request.fingerprint);
    values.add(m_plan->name())
        .add(text_array(names).finish())
        .add(call_of(m_plan->phases().front()))
        .add(data);
    values.add(m_owner).add(count(options.lease)).add(options.max_attempts);
    values.add(count(options.retention)).add(count(options.wait));
    return take(m_sql.begin, values);
}

std::optional<operation_state> operation_store::retake(std::string const& scope, std::string const& key) {
    return take(m_sql.retake, parameters{scope, key, m_owner, count(m_plan->options().lease)});
}

std::optional<operation_state> operation_store::next() {
    auto const& options = m_plan->options();
    parameters values;
    values.add(text_array(std::span{&m_plan->name(), 1}).finish())
        .add(m_owner)
        .add(count(options.lease))
        .add(options.max_attempts);
    return take(m_sql.next, values);
}

std::string operation_store::ask(std::string const& sql, parameters const& values) {
    auto const sent = to_pqxx(values);
    std::string made;
    // Also where nobody knows whether it was committed: then the lease runs out, and another owner looks.
    std::ignore = transact(
        *m_db, [&](transaction& tx) { made = text_or_empty(tx.exec(sql, sent)[0], 0); }, m_own_transactions);
    return made;
}

std::string operation_store::release(operation_state const& state, std::string const& error,
                                     std::chrono::milliseconds pause, int max_attempts, bool call_made) {
    return ask(m_sql.release,
               parameters{state.scope, state.key, state.fence, error, count(pause), max_attempts, call_made});
}

std::string operation_store::call_key(operation_state const& state, std::string const& phase) {
    return ask(m_sql.call_key, parameters{state.scope, state.key, phase});
}

statement operation_store::advance(operation_state const& state, std::string const& to,
                                   std::optional<std::string> const& call, std::string const& data) const {
    parameters values{state.scope, state.key, state.fence, state.recovery_point, to};
    values.add(call).add(data).add(count(m_plan->options().lease));
    return {m_sql.advance, std::move(values)};
}

statement operation_store::renew(operation_state const& state) const {
    return {m_sql.renew, parameters{state.scope, state.key, state.fence, count(m_plan->options().lease)}};
}

statement operation_store::finish(operation_state const& state, std::string const& data,
                                  response const& made) const {
    parameters values{state.scope, state.key, state.fence, state.recovery_point, data};
    add_response(values, made);
    return {m_sql.finish, std::move(values)};
}

bool operation_store::commit(std::function<statement(transaction&)> const& work,
                             transaction_options const& options) {
    try {
        return !transact(*m_db, [&](transaction& tx) { tx.at_commit(work(tx)); }, options).unknown();
    } catch (pqxx::sql_error const& e) {
        if (std::string_view{e.sqlstate()} == operation_lost) {
            throw ownership_lost{
                "once: another process has taken this operation over; nothing of this phase took "
                "effect in the database"};
        }
        throw;
    }
}

bool operation_store::commit(statement const& one) {
    return commit([&](transaction&) { return one; }, m_own_transactions);
}

} // namespace once::detail
