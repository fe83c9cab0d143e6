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

sql::outbox_statements const& outbox_texts(borrowed const& tx) {
    return sql::texts<sql::outbox_statements>(tx.schema());
}

void send(borrowed const& tx, detail::staged_messages& staged, sql::outbox_statements const& texts) {
    for (auto const& one : staged.take(texts)) {
        tx->exec(one.sql, detail::to_pqxx(one.parameters)).expect_rows(1);
    }
}

} // namespace

message_id publish(borrowed const& tx, message const& message) {
    validate(message);
    auto const& texts = outbox_texts(tx);
    detail::require_utf8(*tx);
    auto const id = detail::id_of(message);
    auto const one = detail::stage_one(message, id, texts);
    tx->exec(one.sql, detail::to_pqxx(one.parameters)).expect_rows(1);
    return id;
}

std::vector<message_id> publish(borrowed const& tx, std::span<message const> messages) {
    for (auto const& one : messages) {
        validate(one);
    }
    auto const& texts = outbox_texts(tx);
    detail::require_utf8(*tx);
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

std::uint64_t publish_each(borrowed const& tx, std::function<std::optional<message>()> const& next) {
    auto const& texts = outbox_texts(tx);
    detail::require_utf8(*tx);
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

statement publish_statement(message const& message, std::string_view schema) {
    validate(message);
    auto const& texts = sql::texts<sql::outbox_statements>(detail::checked_schema(schema, "schema"));
    return detail::stage_one(message, detail::id_of(message), texts);
}

} // namespace once
