// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "wire_event.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

/** @file
 * Message boundaries and contents of the PostgreSQL protocol 3; internal to wire_proxy.
 */
namespace once::testing::detail {

/// Bytes of which only the unread rest is of interest.
class byte_queue {
public:
    void append(std::string_view bytes) { m_bytes.append(bytes); }
    [[nodiscard]] std::string_view view() const { return std::string_view{m_bytes}.substr(m_begin); }
    [[nodiscard]] std::size_t size() const { return m_bytes.size() - m_begin; }
    [[nodiscard]] bool empty() const { return size() == 0; }
    void consume(std::size_t count);
    void clear();

private:
    std::string m_bytes;
    std::size_t m_begin = 0;
};

/// What the proxy knows of a message before it forwards it.
struct message {
    char type = '\0';
    std::size_t size = 0;
    std::string sql;
    std::string tag;
    std::string sqlstate;
    char status = '\0';
    int backend_pid = 0;
};

/// Reads both directions of one connection; remembers statement and portal names.
class message_reader {
public:
    /** The message at the beginning of `bytes`.
     *
     * Nothing while too few bytes are there to tell: the header, and of messages with interesting contents at most
     * their first 64 KiB. A message may be longer than `bytes`. To be called once for each message that it returned.
     * @par Throws
     * std::runtime_error when this is not the protocol.
     */
    [[nodiscard]] std::optional<message> next(wire_direction direction, std::string_view bytes);

private:
    std::optional<message> first_packet(std::string_view bytes);
    void read_client(message& m, std::string_view body);
    void read_server(message& m, std::string_view body) const;

    bool m_starting = true;
    int m_answers_due = 0;
    std::map<std::string, std::string, std::less<>> m_statements;
    std::map<std::string, std::string, std::less<>> m_portals;
};

} // namespace once::testing::detail
