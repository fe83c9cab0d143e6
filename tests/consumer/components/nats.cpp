// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/nats_publisher.hpp>

int main() {
    once::nats_publisher const publisher{"nats://receiver.invalid"};
    return 0;
}
