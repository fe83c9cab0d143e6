// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/cloud_event.hpp>
#include <once/export.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace once {

/// Where messages of some topics go.
struct topic_rule {
    /// An exact topic ("orders.placed"), or a prefix that ends with .* ("orders.*"), as in subscriptions.
    std::string pattern{};
    /// As `broker_options::name`.
    std::string name{};
};

/// In which form a message travels through a broker.
enum class broker_form {
    /// The payload as it is. Headers: id, topic, key, time, content-type, traceparent and given-id, as far as the
    /// message has them, then its own. Consumers of Debezium's outbox router find the header `id` where they expect it.
    plain,
    /// The payload as it is, and the attributes of a CloudEvent as headers; then the message's own.
    cloud_event_binary,
    /// One JSON text of media type application/cloudevents+json; the message's own headers beside it.
    cloud_event_structured,
};

/// What publishers for brokers have in common. Checked when the publisher is constructed.
struct broker_options {
    /// Name of the subject, topic, stream or routing key. {topic}, {service} and {subscription} stand for those of the
    /// message; everything else stands for itself. A message for which that gives a name that the broker cannot have is
    /// rejected.
    std::string name = "{topic}";

    /// Exceptions from `name`. The first pattern that fits decides.
    std::vector<topic_rule> topic_map{};

    /// What {subscription} stands for.
    std::string subscription{};

    broker_form form = broker_form::plain;
    cloud_event_options cloud_event{};

    /// Messages under way at once, 1 to 100,000; of each key one.
    std::size_t window_messages = 1000;
    /// And their bytes, from 1 KiB. A single message may have more.
    std::size_t window_bytes = std::size_t{8} * 1024 * 1024;
};

/// Checks the rules above.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(broker_options const& options);

} // namespace once
