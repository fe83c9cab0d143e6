// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "outbox/staged_messages.hpp"

#include "wire/pg_time.hpp"
#include "wire/stored_body.hpp"

#include <span>
#include <utility>

namespace once::detail {

namespace {

void add_array(parameters& to, binary_array& array) {
    if (array.nothing_but_nulls()) {
        to.add(std::nullopt);
    } else {
        to.add(array.finish());
    }
    array.clear();
}

} // namespace

void message_arrays::add(message const& message, message_id const& id) {
    m_given = message.id.has_value();
    if (m_count++ == 0) {
        m_first.emplace(message, id);
        m_bytes = message.topic.size() + message.key.size() + message.payload.data().size();
        return;
    }
    if (auto const first = std::exchange(m_first, std::nullopt)) {
        put(first->first, first->second);
    }
    put(message, id);
}

void message_arrays::put(message const& message, message_id const& id) {
    m_topics.add(message.topic);
    m_keys.add_or_null(message.key);
    bool const is_json = is_stored_as_json(message.payload);
    if (is_json) {
        m_json.add(message.payload.data());
        m_byte_payloads.add_null();
    } else {
        m_json.add_null();
        m_byte_payloads.add(message.payload.data());
    }
    m_content_types.add_or_null(message.payload.content_type());
    if (message.headers.empty()) {
        m_headers.add_null();
    } else {
        m_headers.add(to_stored_headers(message.headers));
    }
    m_traceparents.add_or_null(message.traceparent);
    m_ids.add(id);
    if (message.deliver_at) {
        m_due_times.add_int8(to_pg_time(*message.deliver_at));
    }
    m_bytes =
        m_topics.bytes() + m_keys.bytes() + m_json.bytes() + m_byte_payloads.bytes() + m_headers.bytes();
}

parameters message_arrays::take(bool with_due_times) {
    if (auto const first = std::exchange(m_first, std::nullopt)) {
        put(first->first, first->second);
    }
    parameters values;
    for (auto* const array : {&m_topics, &m_keys, &m_json, &m_byte_payloads, &m_content_types, &m_headers,
                              &m_traceparents, &m_ids}) {
        add_array(values, *array);
    }
    values.add(!m_given);
    if (with_due_times) {
        add_array(values, m_due_times);
    }
    m_count = 0;
    m_bytes = 0;
    return values;
}

std::optional<parameters> message_arrays::take_one() {
    auto const first = std::exchange(m_first, std::nullopt);
    if (!first) {
        return std::nullopt;
    }
    auto const& [message, id] = *first;
    parameters values;
    auto const text_or_null = [&](std::string const& text) {
        if (text.empty()) {
            values.add(std::nullopt);
        } else {
            values.add(text);
        }
    };
    auto const bytes = std::as_bytes(std::span{message.payload.data()});
    values.add(message.topic);
    text_or_null(message.key);
    bool const json = is_stored_as_json(message.payload);
    if (json) {
        values.add(bytes).add(std::nullopt);
    } else {
        values.add(std::nullopt).add(bytes);
    }
    // What JSON is called where nothing is said need not be looked at.
    auto const& type = message.payload.content_type();
    text_or_null(json && type == "application/json" ? std::string{} : type);
    text_or_null(message.headers.empty() ? std::string{} : to_stored_headers(message.headers));
    text_or_null(message.traceparent);
    values.add(id.to_string()).add(!m_given);
    m_count = 0;
    m_bytes = 0;
    return values;
}

message_id staged_messages::add(message const& message) {
    validate(message);
    bool const later = message.deliver_at.has_value();
    auto& open = later ? m_later : m_now;
    if (!open.takes(message.id.has_value())) {
        close(later);
    }
    auto const id = message.id ? *message.id : m_ids.next();
    open.add(message, id);
    return id;
}

bool staged_messages::full() const noexcept {
    return m_closed_bytes + m_now.bytes() + m_later.bytes() >= most_bytes ||
           m_closed_messages + m_now.size() + m_later.size() >= most_messages;
}

void staged_messages::close(bool later) {
    auto& open = later ? m_later : m_now;
    if (open.size() > 0) {
        m_closed_bytes += open.bytes();
        m_closed_messages += open.size();
        auto one = later ? std::nullopt : open.take_one();
        auto const text = one     ? &sql::outbox_statements::publish
                          : later ? &sql::outbox_statements::schedule_many
                                  : &sql::outbox_statements::publish_many;
        m_closed.push_back({text, one ? std::move(*one) : open.take(later)});
    }
}

std::vector<statement> staged_messages::take(sql::outbox_statements const& texts) {
    close(false);
    close(true);
    std::vector<statement> made;
    made.reserve(m_closed.size());
    for (auto& one : m_closed) {
        made.push_back({texts.*one.text, std::move(one.values)});
    }
    m_closed.clear();
    m_closed_bytes = 0;
    m_closed_messages = 0;
    return made;
}

statement stage_one(message const& message, message_id const& id, sql::outbox_statements const& texts) {
    message_arrays one;
    one.add(message, id);
    return message.deliver_at ? statement{texts.schedule_many, one.take(true)}
                              : statement{texts.publish, *one.take_one()};
}

} // namespace once::detail
