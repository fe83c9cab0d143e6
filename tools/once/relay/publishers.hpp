// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/publisher.hpp>

#include "relay/settings.hpp"

#include <functional>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string_view>

namespace once::command {

/// Where all slices of one relay send to; each has a publisher of its own.
class destination {
public:
    destination() = default;
    virtual ~destination();
    destination(destination const&) = delete;
    destination& operator=(destination const&) = delete;

    /// Fails for what no waiting can fix. A receiver that does not answer is no such thing.
    virtual void check() {}
    /// Where messages go, for the log: never a secret.
    [[nodiscard]] virtual std::string place() const = 0;
    /// Whether it can never take anything any more: standard output that nobody reads.
    [[nodiscard]] virtual bool is_lost() const { return false; }
    /// A publisher for one slice; the destination outlives it.
    [[nodiscard]] virtual std::unique_ptr<publisher> make_publisher() = 0;
};

/// What the settings name.
/**
 * @param out standard output, for JSON lines
 * @param log gets lines for people
 * @throws std::invalid_argument, once::invalid_argument when a setting is wrong, naming it and no secret
 */
[[nodiscard]] std::unique_ptr<destination> make_destination(relay_settings const& settings, std::ostream& out,
                                                            std::function<void(std::string_view)> log);

/// The same for a webhook. Throws std::invalid_argument where the command was built without it.
[[nodiscard]] std::unique_ptr<destination> make_webhook(relay_settings const& settings);

/// The same for NATS JetStream.
[[nodiscard]] std::unique_ptr<destination> make_nats(relay_settings const& settings,
                                                     std::function<void(std::string_view)> log);

/// The same for streams of Redis.
[[nodiscard]] std::unique_ptr<destination> make_redis(relay_settings const& settings,
                                                      std::function<void(std::string_view)> log);

/// The same for Kafka.
[[nodiscard]] std::unique_ptr<destination> make_kafka(relay_settings const& settings,
                                                      std::function<void(std::string_view)> log);

/// The same for RabbitMQ.
[[nodiscard]] std::unique_ptr<destination> make_rabbitmq(relay_settings const& settings,
                                                         std::function<void(std::string_view)> log);

} // namespace once::command
