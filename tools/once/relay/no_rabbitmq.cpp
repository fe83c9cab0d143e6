// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/publishers.hpp"

#include <stdexcept>

namespace once::command {

std::unique_ptr<destination> make_rabbitmq(relay_settings const& /*settings*/,
                                           std::function<void(std::string_view)> /*log*/) {
    throw std::invalid_argument{
        "--to rabbitmq: this command was built without it; build once with ONCE_WITH_RABBITMQ=ON "
        "(it needs librabbitmq, librabbitmq-dev in Debian)"};
}

} // namespace once::command
