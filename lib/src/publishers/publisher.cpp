// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/publisher.hpp>

namespace once {

publisher::~publisher() = default;

std::string_view to_string(publish_result value) noexcept {
    switch (value) {
    case publish_result::accepted:
        return "accepted";
    case publish_result::retry:
        return "retry";
    case publish_result::rejected:
        return "rejected";
    case publish_result::not_sent:
        break;
    }
    return "not_sent";
}

} // namespace once
