// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "rabbitmq_transport.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <utility>

namespace once::rabbitmq {

namespace {

constexpr std::size_t longest_name = 255;

std::vector<amqp_table_entry_t> table_of(std::vector<header> const& headers) {
    std::vector<amqp_table_entry_t> made;
    for (auto const& [name, value] : headers) {
        if (name.size() > longest_name) {
            throw invalid_argument{"headers", "a name is longer than the 255 bytes that AMQP allows"};
        }
        amqp_table_entry_t entry{.key = bytes_of(name), .value = {}};
        entry.value.kind = AMQP_FIELD_KIND_UTF8;
        entry.value.value.bytes = bytes_of(value);
        made.push_back(entry);
    }
    return made;
}

} // namespace

transport::transport(address where, rabbitmq_options options)
    : m_where{std::move(where)}, m_options{std::move(options)} {}

std::optional<std::string> transport::open(time_point deadline) {
    if (m_lost || (m_session && m_session->is_dead())) {
        abandon();
    }
    m_lost.reset();
    if (!m_session) {
        std::string error;
        m_session = session::open(m_where, m_options, deadline, error);
        if (!m_session) {
            return "RabbitMQ: " + error;
        }
        m_tag = 0;
    }
    m_session->bound_writes(deadline);
    return {};
}

void transport::submit(detail::broker_message message) {
    auto const& body = message.body();
    if (message.destination.size() > longest_name) {
        throw invalid_argument{"routing key", "the template gives more than the 255 bytes that AMQP allows"};
    }
    if (body.size() > m_options.max_message_bytes) {
        throw invalid_argument{"payload", "it has " + std::to_string(body.size()) +
                                              " bytes, and max_message_bytes is " +
                                              std::to_string(m_options.max_message_bytes)};
    }
    auto entries = table_of(message.headers);
    auto const id = message.source->id.to_string();
    auto const type = std::ranges::find(message.headers, "content-type", &header::first);
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
    constexpr std::uint8_t persistent = 2;
    properties.delivery_mode = persistent;
    properties.message_id = bytes_of(id);
    properties.headers = {.num_entries = static_cast<int>(entries.size()), .entries = entries.data()};
    if (type != message.headers.end() && type->second.size() <= longest_name) {
        properties._flags |= AMQP_BASIC_CONTENT_TYPE_FLAG;
        properties.content_type = bytes_of(type->second);
    }
    auto const status = amqp_basic_publish(
        m_session->handle(), session::channel, bytes_of(m_options.exchange), bytes_of(message.destination),
        m_options.allow_unroutable ? 0 : 1, 0, &properties, bytes_of(body));
    m_under_way.emplace(++m_tag, sent{message.place, id, std::move(message.destination)});
    if (status != AMQP_STATUS_OK) {
        lose(amqp_error_string2(status));
    }
}

std::vector<detail::broker_answer> transport::wait(time_point deadline) {
    std::vector<detail::broker_answer> made;
    while (!m_lost) {
        amqp_frame_t frame{};
        auto const status =
            m_session->next(frame, made.empty() ? deadline : std::chrono::steady_clock::now());
        if (status == AMQP_STATUS_TIMEOUT) {
            break;
        }
        if (status != AMQP_STATUS_OK) {
            lose(amqp_error_string2(status));
            break;
        }
        take(frame, made, deadline);
    }
    if (m_session) {
        amqp_maybe_release_buffers(m_session->handle());
    }
    return made;
}

void transport::take(amqp_frame_t const& frame, std::vector<detail::broker_answer>& to, time_point deadline) {
    if (frame.frame_type != AMQP_FRAME_METHOD) {
        return;
    }
    auto const& method = frame.payload.method;
    switch (method.id) {
    case AMQP_BASIC_ACK_METHOD: {
        auto const& ack = *static_cast<amqp_basic_ack_t const*>(method.decoded);
        settle(ack.delivery_tag, ack.multiple != 0, true, to);
        break;
    }
    case AMQP_BASIC_NACK_METHOD: {
        auto const& nack = *static_cast<amqp_basic_nack_t const*>(method.decoded);
        settle(nack.delivery_tag, nack.multiple != 0, false, to);
        break;
    }
    case AMQP_BASIC_RETURN_METHOD:
        skip_returned(deadline);
        break;
    case AMQP_CHANNEL_CLOSE_METHOD:
        lose(text_of(static_cast<amqp_channel_close_t const*>(method.decoded)->reply_text));
        break;
    case AMQP_CONNECTION_CLOSE_METHOD:
        lose(text_of(static_cast<amqp_connection_close_t const*>(method.decoded)->reply_text));
        break;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        lose("the broker takes nothing at present: " +
             text_of(static_cast<amqp_connection_blocked_t const*>(method.decoded)->reason));
        break;
    default:
        break;
    }
}

void transport::skip_returned(time_point deadline) {
    std::uint64_t left = 1;
    bool header_seen = false;
    while (left > 0 && !m_lost) {
        amqp_frame_t frame{};
        auto const status = m_session->next(frame, deadline);
        if (status != AMQP_STATUS_OK) {
            lose(amqp_error_string2(status));
        } else if (frame.frame_type == AMQP_FRAME_HEADER) {
            header_seen = true;
            left = frame.payload.properties.body_size;
            auto const& properties =
                *static_cast<amqp_basic_properties_t const*>(frame.payload.properties.decoded);
            m_returned.insert(text_of(properties.message_id));
        } else if (frame.frame_type == AMQP_FRAME_BODY && header_seen) {
            left -= std::min<std::uint64_t>(left, frame.payload.body_fragment.len);
        }
    }
}

void transport::settle(std::uint64_t tag, bool multiple, bool positive,
                       std::vector<detail::broker_answer>& to) {
    auto const end = m_under_way.upper_bound(tag);
    for (auto one = multiple ? m_under_way.begin() : m_under_way.find(tag);
         one != m_under_way.end() && one != end;) {
        auto const& what = one->second;
        detail::broker_answer answer{.place = what.place};
        if (m_returned.erase(what.id) > 0) {
            answer.answer = {
                .result = publish_result::retry,
                .error = "RabbitMQ: no queue gets what has the routing key " + what.routing_key +
                         (m_options.exchange.empty() ? "" : " at the exchange " + m_options.exchange)};
            answer.about_all = true;
        } else if (!positive) {
            answer.answer = {.result = publish_result::retry,
                             .error = "RabbitMQ: a queue did not take it (it is full, or has no leader)"};
            answer.about_all = true;
        }
        to.push_back(std::move(answer));
        one = m_under_way.erase(one);
    }
}

void transport::lose(std::string why) {
    constexpr std::size_t longest = 300;
    m_lost = "RabbitMQ: the connection was lost: " + why.substr(0, longest);
    m_session.reset();
    m_under_way.clear();
    m_returned.clear();
}

void transport::abandon() noexcept {
    m_session.reset();
    m_under_way.clear();
    m_returned.clear();
}

} // namespace once::rabbitmq
