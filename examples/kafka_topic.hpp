// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::example {

/// Makes a topic of Kafka, unless it is there.
void make_kafka_topic(std::string const& brokers, std::string const& name);

} // namespace once::example
