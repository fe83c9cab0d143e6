// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "rabbitmq_queue.hpp"

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <stdexcept>

namespace once::example {

void make_rabbitmq_queue(std::string const& url, std::string const& name) {
    auto copy = url; // is written to
    amqp_connection_info where{};
    amqp_default_connection_info(&where);
    amqp_parse_url(copy.data(), &where);
    auto* const connection = amqp_new_connection();
    amqp_table_entry_t type{.key = amqp_cstring_bytes("x-queue-type"), .value = {}};
    type.value.kind = AMQP_FIELD_KIND_UTF8;
    type.value.value.bytes = amqp_cstring_bytes("quorum");
    constexpr int frame_size = 131'072;
    bool const made =
        amqp_socket_open(amqp_tcp_socket_new(connection), where.host, where.port) == AMQP_STATUS_OK &&
        amqp_login(connection, where.vhost, 0, frame_size, 0, AMQP_SASL_METHOD_PLAIN, where.user,
                   where.password)
                .reply_type == AMQP_RESPONSE_NORMAL &&
        amqp_channel_open(connection, 1) != nullptr &&
        amqp_queue_declare(connection, 1, amqp_cstring_bytes(name.c_str()), 0, 1, 0, 0, {1, &type}) !=
            nullptr;
    amqp_destroy_connection(connection);
    if (!made) {
        throw std::runtime_error{"RabbitMQ makes no queue"};
    }
}

} // namespace once::example
