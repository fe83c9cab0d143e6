// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/broker_sender.hpp>

#include <string>
#include <string_view>

namespace once::nats {

/// What the answer of a stream to one message means.
[[nodiscard]] detail::broker_answer judge(std::size_t place, std::string_view acknowledgement);

/// No stream takes this subject.
[[nodiscard]] detail::broker_answer nobody_takes(std::size_t place, std::string const& subject);

} // namespace once::nats
