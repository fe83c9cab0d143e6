// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "resumable/operation_store.hpp"

#include <once/error.hpp>
#include <once/execute.hpp>

#include "claim/stored_response.hpp"
#include "request/stored_body.hpp"

#include <pqxx/except>
#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <charconv>
#include <span>
#include <utility>

namespace once::detail {

namespace {

using time_point = std::chrono::steady_clock::time_point;

constexpr std::string_view fence_refused = "ON040";

std::string from_hex(std::string const& hex) {
    std::string data;
    data.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
        data += static_cast<char>(byte);
    }
    return data;
}

template <class Row>
std::string text_or_empty(Row const& row, int column) {
    return row[column].is_null() ? std::string{} : row[column].template as<std::string>();
}

template <class Row>
operation_state read(Row const& row, time_point owned_until) {
    operation_state made{.outcome = text_or_empty(row, 0),
                         .scope = text_or_empty(row, 1),
                         .key = text_or_empty(row, 2),
                         .name = text_or_empty(row, 3),
                         .recovery_point = text_or_empty(row, 5),
                         .retry_after = std::chrono::milliseconds{row[10].template as<std::int64_t>()},
                         .owned_until = owned_until};
    if (!row[4].is_null()) {
        made.fence = row[4].template as<std::int64_t>();
        made.attempt = row[7].template as<int>();
        made.data = nlohmann::json::parse(text_or_empty(row, 8));
        made.call_keys = nlohmann::json::parse(text_or_empty(row, 9));
    }
    if (!row[6].is_null()) {
        made.call = text_or_empty(row, 6);
    }
    if (!row[11].is_null()) {
        response stored{.status = row[11].template as<int>()};
        if (!row[12].is_null()) {
            stored.headers = from_stored_headers(text_or_empty(row, 12), "an operation");
        }
        stored.body = body::bytes(from_hex(text_or_empty(row, 14)), text_or_empty(row, 13));
        made.response = std::move(stored);
    }
    return made;
}

/// An array in PostgreSQL's text form. The elements are printable ASCII.
template <class Names>
std::string array_of(Names const& names) {
    std::string text = "{";
    for (std::string const& name : names) {
        text += text.size() == 1 ? "\"" : ",\"";
        for (char const c : name) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += '"';
    }
    return text + '}';
}

void append_bytes_or_null(pqxx::params& to, std::string const& bytes) {
    if (bytes.empty()) {
        to.append();
    } else {
        to.append(pqxx::binary_cast(bytes));
    }
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

std::optional<operation_state> operation_store::begin(request const& request, std::string const& data) {
    auto const& options = m_plan->options();
    std::vector<std::string> names;
    for (auto const& one : m_plan->phases()) {
        names.push_back(one.name);
    }
    pqxx::params values;
    values.append(request.scope);
    values.append(request.key);
    append_bytes_or_null(values, request.fingerprint.digest());
    append_bytes_or_null(values, request.fingerprint.preimage());
    values.append(m_plan->name());
    values.append(array_of(names));
    if (auto const call = call_of(m_plan->phases().front())) {
        values.append(*call);
    } else {
        values.append();
    }
    values.append(data);
    values.append(m_owner);
    values.append(count(options.lease));
    values.append(options.max_attempts);
    values.append(count(options.retention));
    values.append(count(options.wait));
    operation_state made;
    auto const reply = transact(
        *m_db,
        [&](transaction& tx) {
            auto const until = std::chrono::steady_clock::now() + options.lease;
            made = read(tx.exec(m_sql.begin, values)[0], until);
        },
        m_own_transactions);
    return reply.unknown() ? std::nullopt : std::optional{std::move(made)};
}

std::optional<operation_state> operation_store::retake(std::string const& scope, std::string const& key) {
    pqxx::params values;
    values.append(scope);
    values.append(key);
    values.append(m_owner);
    values.append(count(m_plan->options().lease));
    operation_state made;
    auto const reply = transact(
        *m_db,
        [&](transaction& tx) {
            auto const until = std::chrono::steady_clock::now() + m_plan->options().lease;
            made = read(tx.exec(m_sql.retake, values)[0], until);
        },
        m_own_transactions);
    return reply.unknown() ? std::nullopt : std::optional{std::move(made)};
}

std::optional<operation_state> operation_store::next() {
    pqxx::params values;
    values.append(array_of(std::vector{m_plan->name()}));
    values.append(m_owner);
    values.append(count(m_plan->options().lease));
    values.append(m_plan->options().max_attempts);
    operation_state made;
    auto const reply = transact(
        *m_db,
        [&](transaction& tx) {
            auto const until = std::chrono::steady_clock::now() + m_plan->options().lease;
            made = read(tx.exec(m_sql.next, values)[0], until);
        },
        m_own_transactions);
    return reply.unknown() ? std::nullopt : std::optional{std::move(made)};
}

std::string operation_store::release(operation_state const& state, std::string const& error,
                                     std::chrono::milliseconds pause, int max_attempts, bool call_made) {
    pqxx::params values;
    values.append(state.scope);
    values.append(state.key);
    values.append(state.fence);
    values.append(error);
    values.append(count(pause));
    values.append(max_attempts);
    values.append(call_made);
    std::string made;
    transact(
        *m_db, [&](transaction& tx) { made = text_or_empty(tx.exec(m_sql.release, values)[0], 0); },
        m_own_transactions);
    return made;
}

std::string operation_store::call_key(operation_state const& state, std::string const& phase) {
    std::string made;
    transact(
        *m_db,
        [&](transaction& tx) {
            made = text_or_empty(tx.exec(m_sql.call_key, pqxx::params{state.scope, state.key, phase})[0], 0);
        },
        m_own_transactions);
    return made;
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
                             call_options const& options) {
    try {
        return !transact(*m_db, [&](transaction& tx) { tx.at_commit(work(tx)); }, options).unknown();
    } catch (pqxx::sql_error const& e) {
        if (std::string_view{e.sqlstate()} == fence_refused) {
            throw ownership_lost{
                "once: somebody else has taken this operation over; nothing of this phase took "
                "effect in the database"};
        }
        throw;
    }
}

bool operation_store::commit(statement const& one) {
    return commit([&](transaction&) { return one; }, m_own_transactions);
}

} // namespace once::detail
