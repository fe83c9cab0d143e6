// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/message.hpp>
#include <once/response.hpp>

#include <string>
#include <vector>

namespace once {

/// What a CloudEvent says that no message does.
struct cloud_event_options {
    /// A URI reference that names where the events come from. Empty: "/" and the service that staged the message.
    std::string source{};
    /// Goes in front of the topic to make the type, for example "com.example.".
    std::string type_prefix{};
};

/// The message as a CloudEvent 1.0 in structured mode: one JSON text, of media type application/cloudevents+json.
/**
 * | attribute | from |
 * | --- | --- |
 * | id | the message id |
 * | source | `cloud_event_options::source` |
 * | type | `type_prefix` and the topic |
 * | time | when it was staged |
 * | givenid | the id that the application gave, if it gave one |
 * | datacontenttype | media type of the payload, application/octet-stream when it has none |
 * | partitionkey | the key, if it has one |
 * | traceparent | the trace context, if it has one |
 * | data | a payload that is JSON: the exact text |
 * | data_base64 | any other payload |
 *
 * Headers of the message are not in it: names of CloudEvents attributes may not hold what header names do. The same
 * message gives the same bytes at each attempt.
 * @throws once::invalid_argument when a text is not UTF-8
 */
[[nodiscard]] ONCE_EXPORT std::string structured_cloud_event(delivery const& message,
                                                             cloud_event_options const& options = {});

/// The same in binary mode over HTTP: the attributes as ce- headers and Content-Type; the body is the payload as it is.
/**
 * Values are percent-encoded as the HTTP binding of CloudEvents asks: everything but printable ASCII, and space, quote
 * and percent sign.
 */
[[nodiscard]] ONCE_EXPORT std::vector<header> binary_cloud_event(delivery const& message,
                                                                 cloud_event_options const& options = {});

} // namespace once
