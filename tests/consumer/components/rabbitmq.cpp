// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/rabbitmq_publisher.hpp>

int main() {
    once::rabbitmq_publisher const publisher{"amqp://receiver.invalid"};
    return 0;
}
