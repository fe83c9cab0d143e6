// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/cloud_event.hpp>
#include <once/message.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// Whether the payload is JSON text that may stand inside of another JSON text as it is.
/**
 * Its media type says JSON, and it is JSON. Where lines count, `one_line` asks for no line break in it, too: breaks
 * could be taken out without changing the meaning, but not without changing the bytes.
 */
[[nodiscard]] bool embeds_as_json(body const& payload, bool one_line);

/// A JSON string, quotes included.
/// @throws once::invalid_argument when the text is not UTF-8
[[nodiscard]] std::string json_string(std::string_view text);

/// RFC 3339 in UTC with microseconds: 2026-11-24T22:06:11.000001Z.
[[nodiscard]] std::string rfc3339(std::chrono::sys_time<std::chrono::microseconds> when);

/// Attributes of a CloudEvent in a fixed order, without datacontenttype.
[[nodiscard]] std::vector<header> cloud_event_attributes(delivery const& message,
                                                         cloud_event_options const& options);

/// The media type of the payload, or application/octet-stream.
[[nodiscard]] std::string cloud_event_content_type(delivery const& message);

} // namespace once::detail
