// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "rabbitmq_session.hpp"

#include <once/error.hpp>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>
#include <sys/socket.h>
#include <sys/time.h>

namespace once::rabbitmq {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

timeval left_until(time_point when) {
    auto const left = std::chrono::duration_cast<std::chrono::microseconds>(when - clock::now());
    auto const some = std::max<std::chrono::microseconds>(left, 0us);
    constexpr int micro = 1'000'000;
    return {.tv_sec = static_cast<time_t>(some.count() / micro),
            .tv_usec = static_cast<suseconds_t>(some.count() % micro)};
}

// What the broker says is shown as it is, cut: it holds no payload and no password.
std::string shown(amqp_bytes_t text) {
    constexpr std::size_t longest = 200;
    return text_of(text).substr(0, longest);
}

// Empty when the broker has done what it was asked for.
std::string why_not(amqp_rpc_reply_t const& reply) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
        return "";
    }
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
        if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
            return shown(static_cast<amqp_connection_close_t const*>(reply.reply.decoded)->reply_text);
        }
        if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
            return shown(static_cast<amqp_channel_close_t const*>(reply.reply.decoded)->reply_text);
        }
    }
    return reply.library_error == 0 ? "no answer that is known" : amqp_error_string2(reply.library_error);
}

} // namespace

address parse_url(std::string const& url) {
    auto const refuse = [] {
        throw invalid_argument{
            "rabbitmq_publisher.url",
            "it is amqp://HOST[:PORT][/VHOST] or amqps://, with USER:PASSWORD@ in front of the host"};
    };
    bool const printable = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!printable || !(url.starts_with("amqp://") || url.starts_with("amqps://"))) {
        refuse();
    }
    auto copy = url; // is written to
    amqp_connection_info found{};
    amqp_default_connection_info(&found);
    if (amqp_parse_url(copy.data(), &found) != AMQP_STATUS_OK || found.host == nullptr ||
        *found.host == '\0' || url.find("://") + 3 == url.size()) {
        refuse();
    }
    return {.host = found.host,
            .port = found.port,
            .user = found.user,
            .password = found.password,
            .vhost = found.vhost,
            .tls = found.ssl != 0};
}

std::unique_ptr<session> session::open(address const& where, rabbitmq_options const& options,
                                       time_point deadline, std::string& error) {
    std::unique_ptr<session> made{new session};
    made->m_handle = amqp_new_connection();
    if (made->m_handle == nullptr) {
        throw std::bad_alloc{};
    }
    auto const patience = std::min<time_point>(deadline, clock::now() + options.connect_timeout);
    error = made->connect(where, options, patience);
    if (error.empty()) {
        made->bound_writes(patience);
        error = made->log_in(where, options);
    }
    if (error.empty()) {
        error = made->prepare(options);
    }
    return error.empty() ? std::move(made) : nullptr;
}

session::~session() {
    amqp_destroy_connection(m_handle); // without a goodbye, which could wait
}

std::string session::connect(address const& where, rabbitmq_options const& options, time_point deadline) {
    auto* const socket = where.tls ? amqp_ssl_socket_new(m_handle) : amqp_tcp_socket_new(m_handle);
    if (socket == nullptr) {
        throw std::bad_alloc{};
    }
    if (where.tls) {
        bool const usable = amqp_ssl_socket_set_cacert(socket, options.ca_file.c_str()) == AMQP_STATUS_OK &&
                            (options.certificate_file.empty() ||
                             amqp_ssl_socket_set_key(socket, options.certificate_file.c_str(),
                                                     options.key_file.c_str()) == AMQP_STATUS_OK);
        if (!usable) {
            return "a file of certificates or keys cannot be used";
        }
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
    }
    auto const patience = left_until(deadline);
    amqp_set_handshake_timeout(m_handle, &patience);
    amqp_set_rpc_timeout(m_handle, &patience);
    auto const status = amqp_socket_open_noblock(socket, where.host.c_str(), where.port, &patience);
    if (status == AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED) {
        return "the certificate is not for " + where.host +
               "; names are compared only, so an address never matches";
    }
    if (status == AMQP_STATUS_SSL_ERROR || status == AMQP_STATUS_SSL_PEER_VERIFY_FAILED ||
        status == AMQP_STATUS_SSL_CONNECTION_FAILED) {
        return "no TLS connection: the certificate is not trusted, or another one is wanted";
    }
    return status == AMQP_STATUS_OK ? ""
                                    : std::string{"no broker can be reached: "} + amqp_error_string2(status);
}

std::string session::log_in(address const& where, rabbitmq_options const& options) {
    auto const& user = options.user.empty() ? where.user : options.user;
    auto const& password = options.password.empty() ? where.password : options.password;
    // So that the broker tells when it takes nothing more.
    amqp_table_entry_t blocked{.key = amqp_cstring_bytes("connection.blocked"), .value = {}};
    blocked.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    blocked.value.value.boolean = 1;
    amqp_table_entry_t capabilities{.key = amqp_cstring_bytes("capabilities"), .value = {}};
    capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
    capabilities.value.value.table = {.num_entries = 1, .entries = &blocked};
    amqp_table_t const properties{.num_entries = 1, .entries = &capabilities};
    constexpr int frame_size = 131'072;
    auto const why =
        why_not(amqp_login_with_properties(m_handle, where.vhost.c_str(), 0, frame_size, 0, &properties,
                                           AMQP_SASL_METHOD_PLAIN, user.c_str(), password.c_str()));
    if (why.starts_with("ACCESS_REFUSED")) {
        return "the broker refused user and password";
    }
    return why.empty() ? "" : "no login: " + why;
}

std::string session::prepare(rabbitmq_options const& options) {
    amqp_channel_open(m_handle, channel);
    auto why = why_not(amqp_get_rpc_reply(m_handle));
    if (why.empty()) {
        amqp_confirm_select(m_handle, channel);
        why = why_not(amqp_get_rpc_reply(m_handle));
    }
    if (why.empty() && !options.exchange.empty()) {
        // Passive: it is looked at, and not made.
        amqp_exchange_declare(m_handle, channel, bytes_of(options.exchange), amqp_cstring_bytes("direct"), 1,
                              0, 0, 0, amqp_empty_table);
        why = why_not(amqp_get_rpc_reply(m_handle));
        if (why.starts_with("NOT_FOUND")) {
            return "there is no exchange " + options.exchange;
        }
    }
    return why;
}

void session::bound_writes(time_point deadline) const {
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now());
    auto const most = std::clamp<std::chrono::milliseconds>(left, 1ms, 30s);
    auto const value = static_cast<unsigned>(most.count());
    setsockopt(amqp_get_sockfd(m_handle), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

bool session::is_dead() const {
    if (amqp_frames_enqueued(m_handle) || amqp_data_in_buffer(m_handle)) {
        return true; // nothing is owed to us: it can only be an end
    }
    char byte = 0;
    auto const got = recv(amqp_get_sockfd(m_handle), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int session::next(amqp_frame_t& frame, time_point deadline) const {
    auto const patience = left_until(deadline);
    return amqp_simple_wait_frame_noblock(m_handle, &frame, &patience);
}

} // namespace once::rabbitmq
