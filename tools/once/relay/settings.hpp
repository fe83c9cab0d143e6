// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/postgres_publisher.hpp>
#include <once/relay.hpp>

#include "event_log.hpp"
#include "session.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace once::command {

/// `relay --to jsonl`
struct jsonl_settings {
    /// - is standard output.
    std::string file = "-";
    bool no_fsync = false;
};

/// What webhooks and brokers have in common.
struct receiver_settings {
    std::string url;
    /// plain, binary or structured
    std::string form = "plain";
    std::string source;
    std::string type_prefix;
    std::chrono::milliseconds connect_timeout{5'000};
    std::string ca_file;
};

/// `relay --to webhook`
struct webhook_settings {
    /// Secrets come from ONCE_RELAY_SECRET or from this file, one a line.
    std::string secret_file;
    /// Headers of each request, one a line; they may be secrets.
    std::string headers_file;
    std::size_t parallel = 16;
    std::chrono::milliseconds request_timeout{5'000};
    std::chrono::milliseconds max_retry_after{std::chrono::hours{1}};
    bool conflict_is_accepted = false;
    bool public_addresses_only = false;
    std::string proxy;
};

/// What brokers have in common.
struct broker_settings {
    /// Empty: what is usual for the broker.
    std::string name;
    /// PATTERN=NAME
    std::vector<std::string> topic_map;
    std::string user;
    /// The password comes from ONCE_RELAY_PASSWORD or from this file.
    std::string password_file;
    bool tls = false;
    std::string certificate_file;
    std::string key_file;
};

/// `relay --to kafka`
struct kafka_settings {
    /// NAME=VALUE, one a line; they may be secrets.
    std::string properties_file;
};

/// `relay --to nats`
struct nats_settings {
    std::string stream;
    bool no_deduplication = false;
    std::string credentials_file;
};

/// `relay --to rabbitmq`
struct rabbitmq_settings {
    std::string exchange;
    bool allow_unroutable = false;
};

/// `relay --to redis`
struct redis_settings {
    bool make_streams = false;
    std::uint64_t max_length = 0;
    int wait_replicas = 0;
};

/// `relay --to postgres`
struct postgres_settings {
    /// Without a password, which comes from ONCE_RELAY_TARGET, from `target_file`, or from ~/.pgpass.
    std::string target;
    std::string target_file;
    std::string target_schema = "once";
    std::string statement;
    std::string statement_file;
    /// Empty: the name of the subscription.
    std::string consumer;
    std::chrono::milliseconds retention = postgres_publisher_options{}.retention;
};

/// All that `relay` can be told.
struct relay_settings {
    std::string subscription;
    std::string to;
    /// Empty: all that the subscription has.
    std::vector<int> slices;
    bool until_idle = false;
    /// host:port for metrics and health.
    std::optional<std::string> listen;
    log_form log = log_form::text;
    bool verbose = false;
    /// Empty: "once relay SUBSCRIPTION".
    std::string worker;
    bool poll = false;
    bool no_prepared_statements = false;
    bool async_checkpoints = false;
    /// Slice, listen and durable_checkpoints follow from the above.
    relay_options options;
    jsonl_settings jsonl;
    receiver_settings receiver;
    webhook_settings webhook;
    broker_settings broker;
    kafka_settings kafka;
    nats_settings nats;
    rabbitmq_settings rabbitmq;
    redis_settings redis;
    postgres_settings postgres;
};

/// The library's options for one slice.
[[nodiscard]] relay_options to_options(relay_settings const& settings, int slice);

} // namespace once::command
