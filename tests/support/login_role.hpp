// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/effects.hpp"

#include <cstdio>
#include <exception>
#include <string>

namespace once::testing {

/// A login role of one test without any right; it is dropped with what it was granted in that database.
class login_role {
public:
    /// @param server must live longer
    login_role(effects_database const& server, std::string const& suffix)
        : m_server{server}, m_name{server.name() + "_" + suffix} {
        m_server.run("create role " + m_name + " login");
    }
    ~login_role() {
        try {
            m_server.run("drop owned by " + m_name + "; drop role " + m_name);
        } catch (std::exception const& e) {
            std::fprintf(stderr, "role %s stays behind: %s\n", m_name.c_str(), e.what());
        }
    }
    login_role(login_role const&) = delete;
    login_role& operator=(login_role const&) = delete;

    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    /// Connection string of the database as this role.
    [[nodiscard]] std::string dsn() const { return m_server.dsn() + " user='" + m_name + "'"; }

    /// What a service needs, and no more.
    void grant_use() const {
        m_server.run("grant usage on schema once to " + m_name);
        m_server.run(
            "grant execute on function once.installed_version(), once.current_service(), once.claim, "
            "once.try_claim, once.claim_or_abort, once.lookup, once.complete, once.complete_with_row, "
            "once.acquire_lease, once.renew_lease, once.release_lease, once.lease_held, once.assert_fence, "
            "once.publish, once.publish_many, once.schedule, once.cancel_scheduled, once.release_due, "
            "once.subscribe, "
            "once.unsubscribe, once.pause_subscription, once.next_batch, once.acknowledge, once.take_parked, "
            "once.settle_parked, once.parked_due, once.wake_channel, once.outbox_writers, once.fall_asleep, "
            "once.wake_up to " +
            m_name);
    }

private:
    effects_database const& m_server;
    std::string m_name;
};

} // namespace once::testing
