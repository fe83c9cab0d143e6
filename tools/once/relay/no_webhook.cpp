// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/publishers.hpp"

#include <stdexcept>

namespace once::command {

std::unique_ptr<destination> make_webhook(relay_settings const& /*settings*/) {
    throw std::invalid_argument{"--to webhook: this command was built without it; build once with "
                                "ONCE_WITH_WEBHOOK=ON (it needs libcurl and OpenSSL)"};
}

} // namespace once::command
