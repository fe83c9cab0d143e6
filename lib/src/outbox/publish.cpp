// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/publish.hpp>

#include "outbox/staged_messages.hpp"
#include "sql/outbox_statements.hpp"
#include "sql/texts.hpp"
#include "text/schema_name.hpp"
#include "wire/borrowed.hpp"

#include <pqxx/result>

namespace once {

namespace {

sql::outbox_statements const& statements_for(publish_options const& options) {
    return sql::texts<sql::outbox_statements>(
        detail::checked_schema(options.schema, "publish_options.schema"));
}

void send(pqxx::dbtransaction& tx, detail::staged_messages& staged, sql::outbox_statements const& texts) {
    for (auto const& one : staged.take(texts)) {
        tx.exec(one.sql, detail::to_pqxx(one.parameters)).expect_rows(1);
    }
}

} // namespace

message_id publish(pqxx::dbtransaction& tx, message const& message, publish_options const& options) {
    validate(message);
    auto const& texts = statements_for(options);
    detail::require_utf8(tx);
    auto const id = detail::id_of(message);
    auto const one = detail::stage_one(message, id, texts);
    tx.exec(one.sql, detail::to_pqxx(one.parameters)).expect_rows(1);
    return id;
}

std::vector<message_id> publish(pqxx::dbtransaction& tx, std::span<message const> messages,
                                publish_options const& options) {
    for (auto const& one : messages) {
        validate(one);
    }
    auto const& texts = statements_for(options);
    detail::require_utf8(tx);
    std::vector<message_id> ids;
    ids.reserve(messages.size());
    detail::staged_messages staged;
    for (auto const& one : messages) {
        ids.push_back(staged.add(one));
        if (staged.full()) {
            send(tx, staged, texts);
        }
    }
    send(tx, staged, texts);
    return ids;
}

std::uint64_t publish_each(pqxx::dbtransaction& tx, std::function<std::optional<message>()> const& next,
                           publish_options const& options) {
    auto const& texts = statements_for(options);
    detail::require_utf8(tx);
    detail::staged_messages staged;
    std::uint64_t count = 0;
    while (auto const one = next()) {
        staged.add(*one);
        ++count;
        if (staged.full()) {
            send(tx, staged, texts);
        }
    }
    send(tx, staged, texts);
    return count;
}

statement publish_statement(message const& message, publish_options const& options) {
    validate(message);
    return detail::stage_one(message, detail::id_of(message), statements_for(options));
}

} // namespace once
