// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "place.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <support/wire_proxy.hpp>

namespace demo {

/// What goes wrong between the clients and the database.
/**
 * A proxy stands between some of the clients and the server. Around COMMIT, where it hurts the most, it now and then
 * loses what is on its way, or has the server end the session.
 * @par Thread safety
 * Safe.
 */
class faults {
public:
    faults(place const& where, std::uint64_t seed);
    ~faults();

    /// Connection string through the proxy.
    [[nodiscard]] std::string dsn() const;

    /// Ends a session of those that work at this moment, whichever it is.
    void terminate_any();

    /// Lets everything pass from now on.
    void stop();

    /// COMMIT never reached the server.
    [[nodiscard]] int requests_lost() const noexcept { return m_requests_lost; }
    /// COMMIT was carried out, and the answer never reached the client.
    [[nodiscard]] int replies_lost() const noexcept { return m_replies_lost; }
    [[nodiscard]] int sessions_terminated() const noexcept { return m_terminated; }

private:
    class terminator;

    once::testing::action decide(once::testing::event const& event);
    [[nodiscard]] unsigned roll(unsigned sides);

    place const& m_where;
    std::mutex m_mutex;
    std::mt19937_64 m_random;
    std::atomic<int> m_requests_lost{0};
    std::atomic<int> m_replies_lost{0};
    std::atomic<int> m_terminated{0};
    std::unique_ptr<terminator> m_terminator;
    once::testing::wire_proxy m_proxy;
};

} // namespace demo
