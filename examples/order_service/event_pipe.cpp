// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "event_pipe.hpp"

#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace demo {

void event_pipe::send(nlohmann::json const& event) {
    auto const line = event.dump() + '\n';
    std::scoped_lock const lock{m_mutex};
    for (std::size_t sent = 0; sent < line.size();) {
        auto const written = ::write(m_descriptor, line.data() + sent, line.size() - sent);
        if (written < 0 && errno != EINTR) {
            throw std::system_error{errno, std::generic_category(), "event pipe"};
        }
        sent += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
}

} // namespace demo
