// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "event_pipe.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>

namespace demo {

event_pipe event_pipe::to_parent() {
    constexpr int event_descriptor = 3;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pollfd reader{.fd = event_descriptor, .events = 0, .revents = 0};
    if (::poll(&reader, 1, 0) == 1) {
        ::_exit(1); // it was gone before we asked
    }
    return event_pipe{event_descriptor};
}

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
