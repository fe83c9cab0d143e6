// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/kafka_publisher.hpp>

int main() {
    once::kafka_publisher const publisher{"receiver.invalid:9092"};
    return 0;
}
