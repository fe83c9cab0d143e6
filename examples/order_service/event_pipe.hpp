// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>

#include <mutex>
#include <string>

namespace demo {

/// The way from a client process to the one that started it: a pipe with a line of JSON for each event.
/**
 * An event is in the pipe when `send` returns, and stays there when the process is killed.
 * @par Thread safety
 * Safe.
 */
class event_pipe {
public:
    explicit event_pipe(int descriptor) : m_descriptor{descriptor} {}

    void send(nlohmann::json const& event);

private:
    std::mutex m_mutex;
    int m_descriptor;
};

} // namespace demo
