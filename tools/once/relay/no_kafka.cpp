// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/publishers.hpp"

#include <stdexcept>

namespace once::command {

std::unique_ptr<destination> make_kafka(relay_settings const& /*settings*/,
                                        std::function<void(std::string_view)> /*log*/) {
    throw std::invalid_argument{
        "--to kafka: this command was built without it; build once with ONCE_WITH_KAFKA=ON "
        "(it needs librdkafka, librdkafka-dev in Debian)"};
}

} // namespace once::command
