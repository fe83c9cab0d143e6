// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/webhook_publisher.hpp>

int main() {
    once::webhook_publisher const publisher{"https://receiver.invalid/messages"};
    return 0;
}
