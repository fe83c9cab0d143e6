// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>

namespace demo {

/// A database of its own on the given server, with the library's schema and the tables of the services.
/**
 * Removed again by the destructor.
 */
class place {
public:
    /// @throws std::runtime_error when the server cannot be used
    explicit place(std::string server_dsn);
    ~place();
    place(place const&) = delete;
    place& operator=(place const&) = delete;

    [[nodiscard]] std::string const& dsn() const noexcept { return m_dsn; }
    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    [[nodiscard]] std::string const& user() const noexcept { return m_user; }
    [[nodiscard]] std::string const& socket_folder() const noexcept { return m_socket_folder; }
    [[nodiscard]] int port() const noexcept { return m_port; }

private:
    void fill() const;
    void drop() const noexcept;

    std::string m_server_dsn;
    std::string m_name;
    std::string m_dsn;
    std::string m_user;
    std::string m_socket_folder;
    int m_port = 0;
};

} // namespace demo
