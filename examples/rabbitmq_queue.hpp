// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::example {

/// Makes a quorum queue of RabbitMQ, unless it is there.
void make_rabbitmq_queue(std::string const& url, std::string const& name);

} // namespace once::example
