// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace once::testing {

/// Servers of a test's own, with the tools for developers in this source tree; skips the test where there are none.
/**
 * Everything lives below one temporary folder and ends with this object.
 */
class private_servers {
public:
    private_servers();
    private_servers(private_servers const&) = delete;
    private_servers& operator=(private_servers const&) = delete;
    ~private_servers();

    /// Starts a server named `name` with the database `shop`: the migrations and the workload's tables.
    void start_primary(std::string const& name);
    /// Starts a streaming standby of `primary`.
    void start_standby(std::string const& name, std::string const& primary);

    /// Ends a server as a crash would: nothing is flushed, nobody is told.
    void crash(std::string const& name) const;
    /// Starts a server that has crashed, with what it finds in its folder.
    void start_again(std::string const& name) const;

    /// Cuts a standby off from its primary, so that a later failover to it loses what the primary commits from now on.
    void cut_off(std::string const& standby) const;

    /// The folder of a server's socket, or of a link to one.
    [[nodiscard]] std::string folder(std::string const& name) const { return m_base + name; }
    /// Connection string of the database shop there.
    [[nodiscard]] std::string dsn(std::string const& name) const;
    /// Lets `link`, a folder that is no server's, lead to the server `name` from now on, as a virtual IP does.
    void point(std::string const& link, std::string const& name) const;

private:
    void run(std::string const& command) const;

    std::string m_base;
};

} // namespace once::testing
