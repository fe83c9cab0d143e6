// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "webhooks.hpp"

#include <stdexcept>

namespace demo {

bool can_send_webhooks() noexcept {
    return false;
}

void run_relay(once::database&, std::uint16_t, std::stop_token const&) {
    throw std::logic_error{"built without once::webhook"};
}

void run_warehouse(once::database&, daemon_task const&, event_pipe&, std::stop_token const&) {
    throw std::logic_error{"built without once::webhook"};
}

} // namespace demo
