// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace once::testing {

/// An HTTP/1.1 client that sends exactly the bytes that a test wants to send.
/**
 * @par Thread safety
 * One thread at a time.
 */
class raw_http {
public:
    /// @throws std::system_error when nobody listens on 127.0.0.1
    explicit raw_http(int port);
    raw_http(raw_http const&) = delete;
    raw_http& operator=(raw_http const&) = delete;
    ~raw_http();

    /// May throw nothing away: a server that refuses the beginning may have closed the connection.
    void send(std::string const& bytes) const;

    /// Everything until the server closes the connection.
    [[nodiscard]] std::string receive_all() const;

    /// Sends `bytes` and returns the whole answer.
    [[nodiscard]] static std::string exchange(int port, std::string const& bytes);

private:
    int m_socket = -1;
};

/// A request that asks the server to close the connection afterwards.
[[nodiscard]] std::string post(std::string const& target,
                               std::vector<std::pair<std::string, std::string>> const& headers,
                               std::string const& body);

/// The status of an answer, 0 if there is none.
[[nodiscard]] int status_of(std::string const& answer);

/// What is behind the headers of an answer.
[[nodiscard]] std::string body_of(std::string const& answer);

} // namespace once::testing
