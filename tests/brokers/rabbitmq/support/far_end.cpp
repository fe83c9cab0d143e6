// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "far_end.hpp"

#include "support/wait_until.hpp"

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#endif

#include <stdexcept>

namespace once::testing {

namespace {

std::string text_in(amqp_bytes_t bytes) {
    return bytes.len == 0 ? std::string{} : std::string{static_cast<char const*>(bytes.bytes), bytes.len};
}

rabbitmq_message message_of(amqp_message_t const& from) {
    rabbitmq_message made{.id = text_in(from.properties.message_id),
                          .body = text_in(from.body),
                          .content_type = text_in(from.properties.content_type),
                          .delivery_mode = from.properties.delivery_mode};
    for (int i = 0; i < from.properties.headers.num_entries; ++i) {
        auto const& entry = from.properties.headers.entries[i];
        made.headers.emplace_back(text_in(entry.key), text_in(entry.value.value.bytes));
    }
    return made;
}

} // namespace

std::string rabbitmq_message::header(std::string const& name) const {
    for (auto const& one : headers) {
        if (one.first == name) {
            return one.second;
        }
    }
    return "";
}

rabbitmq_queue::rabbitmq_queue(broker_server const& server, int most)
    : m_url{server.url()}, m_name{unique_name("test")} {
    if (!wait_until([&] { return connect() && declare(false, most, nullptr); })) {
        throw std::runtime_error{"RabbitMQ makes no queue"};
    }
}

rabbitmq_queue::~rabbitmq_queue() {
    if (m_connection != nullptr) {
        amqp_queue_delete(m_connection, 1, amqp_cstring_bytes(m_name.c_str()), 0, 0);
    }
    disconnect();
}

void rabbitmq_queue::disconnect() {
    if (m_connection != nullptr) {
        amqp_destroy_connection(m_connection);
        m_connection = nullptr;
    }
}

bool rabbitmq_queue::connect() {
    disconnect();
    auto copy = m_url;
    amqp_connection_info where{};
    amqp_default_connection_info(&where);
    amqp_parse_url(copy.data(), &where);
    m_connection = amqp_new_connection();
    timeval const patience{.tv_sec = 10, .tv_usec = 0};
    amqp_set_rpc_timeout(m_connection, &patience);
    if (amqp_socket_open_noblock(amqp_tcp_socket_new(m_connection), where.host, where.port, &patience) !=
            AMQP_STATUS_OK ||
        amqp_login(m_connection, "/", 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN, where.user, where.password)
                .reply_type != AMQP_RESPONSE_NORMAL ||
        amqp_channel_open(m_connection, 1) == nullptr) {
        disconnect();
        return false;
    }
    return true;
}

bool rabbitmq_queue::declare(bool passive, int most, std::size_t* count) {
    std::vector<amqp_table_entry_t> arguments(most > 0 ? 3 : 1);
    arguments[0].key = amqp_cstring_bytes("x-queue-type");
    arguments[0].value.kind = AMQP_FIELD_KIND_UTF8;
    arguments[0].value.value.bytes = amqp_cstring_bytes(most > 0 ? "classic" : "quorum");
    if (most > 0) {
        arguments[1].key = amqp_cstring_bytes("x-max-length");
        arguments[1].value.kind = AMQP_FIELD_KIND_I32;
        arguments[1].value.value.i32 = most;
        arguments[2].key = amqp_cstring_bytes("x-overflow");
        arguments[2].value.kind = AMQP_FIELD_KIND_UTF8;
        arguments[2].value.value.bytes = amqp_cstring_bytes("reject-publish");
    }
    amqp_table_t const table{.num_entries = static_cast<int>(arguments.size()), .entries = arguments.data()};
    auto const* const made = amqp_queue_declare(m_connection, 1, amqp_cstring_bytes(m_name.c_str()),
                                                passive ? 1 : 0, 1, 0, 0, passive ? amqp_empty_table : table);
    if (made != nullptr && count != nullptr) {
        *count = made->message_count;
    }
    return made != nullptr;
}

std::size_t rabbitmq_queue::count() {
    std::size_t made = 0;
    if ((m_connection == nullptr && !connect()) || !declare(true, 0, &made)) {
        disconnect();
        return 0;
    }
    return made;
}

void rabbitmq_queue::purge() {
    amqp_queue_purge(m_connection, 1, amqp_cstring_bytes(m_name.c_str()));
}

std::vector<rabbitmq_message> const& rabbitmq_queue::messages() {
    while (m_connection != nullptr || connect()) {
        amqp_maybe_release_buffers(m_connection);
        auto const got = amqp_basic_get(m_connection, 1, amqp_cstring_bytes(m_name.c_str()), 1);
        if (got.reply_type != AMQP_RESPONSE_NORMAL) {
            disconnect();
            return m_messages; // the broker is away
        }
        if (got.reply.id != AMQP_BASIC_GET_OK_METHOD) {
            return m_messages;
        }
        amqp_message_t message{};
        if (amqp_read_message(m_connection, 1, &message, 0).reply_type != AMQP_RESPONSE_NORMAL) {
            disconnect();
            return m_messages;
        }
        m_messages.push_back(message_of(message));
        amqp_destroy_message(&message);
    }
    return m_messages;
}

} // namespace once::testing
