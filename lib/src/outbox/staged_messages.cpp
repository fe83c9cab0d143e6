// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "outbox/staged_messages.hpp"

#include "wire/stored_body.hpp"

#include <chrono>

namespace once::detail {

namespace {

// As the protocol counts: microseconds since 2000.
std::int64_t wire_time(std::chrono::sys_time<std::chrono::microseconds> time) {
    using namespace std::chrono;
    return (time - sys_days{year{2000} / 1 / 1}).count();
}

std::string_view id_bytes(message_id const& id) noexcept {
    return {reinterpret_cast<char const*>(id.bytes().data()), id.bytes().size()};
}

void add_or_null(binary_array& to, std::string_view text) {
    if (text.empty()) {
        to.add_null();
    } else {
        to.add(text);
    }
}

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
    m_topics.add(message.topic);
    add_or_null(m_keys, message.key);
    bool const is_json = is_stored_as_json(message.payload);
    if (is_json) {
        m_json.add(message.payload.data());
        m_byte_payloads.add_null();
    } else {
        m_json.add_null();
        m_byte_payloads.add(message.payload.data());
    }
    add_or_null(m_content_types, message.payload.content_type());
    if (message.headers.empty()) {
        m_headers.add_null();
    } else {
        m_headers.add(to_stored_headers(message.headers));
    }
    add_or_null(m_traceparents, message.traceparent);
    m_ids.add(id_bytes(id));
    if (message.deliver_at) {
        m_due_times.add_int8(wire_time(*message.deliver_at));
    }
    m_given = message.id.has_value();
    ++m_count;
    m_bytes =
        m_topics.bytes() + m_keys.bytes() + m_json.bytes() + m_byte_payloads.bytes() + m_headers.bytes();
}

parameters message_arrays::take(bool with_due_times) {
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
        m_closed.push_back({later, open.take(later)});
    }
}

std::vector<statement> staged_messages::take(sql::outbox_statements const& texts) {
    close(false);
    close(true);
    std::vector<statement> made;
    made.reserve(m_closed.size());
    for (auto& one : m_closed) {
        made.push_back({one.later ? texts.schedule_many : texts.publish_many, std::move(one.values)});
    }
    m_closed.clear();
    m_closed_bytes = 0;
    m_closed_messages = 0;
    return made;
}

statement stage_one(message const& message, message_id const& id, sql::outbox_statements const& texts) {
    message_arrays one;
    if (message.deliver_at) {
        one.add(message, id);
        return {texts.schedule_many, one.take(true)};
    }
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
    if (is_stored_as_json(message.payload)) {
        values.add(bytes).add(std::nullopt);
    } else {
        values.add(std::nullopt).add(bytes);
    }
    text_or_null(message.payload.content_type());
    text_or_null(message.headers.empty() ? std::string{} : to_stored_headers(message.headers));
    text_or_null(message.traceparent);
    values.add(id.to_string()).add(!message.id);
    return {texts.publish, std::move(values)};
}

} // namespace once::detail
