// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/redis_publisher.hpp>

int main() {
    once::redis_publisher const publisher{"redis://receiver.invalid"};
    return 0;
}
