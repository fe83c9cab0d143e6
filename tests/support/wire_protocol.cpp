// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire_protocol.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace once::testing::detail {

namespace {

constexpr std::size_t content_limit = std::size_t{64} * 1024;
constexpr std::uint32_t cancel_code = 80877102;
constexpr std::uint32_t ssl_code = 80877103;
constexpr std::uint32_t gss_code = 80877104;

std::uint32_t number_at(std::string_view bytes, std::size_t position) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = (value << 8U) | static_cast<unsigned char>(bytes[position + i]);
    }
    return value;
}

/// Takes a zero-terminated text from the front; of a cut-off one, what is there.
std::string_view take_text(std::string_view& body) {
    auto const end = body.find('\0');
    auto const text = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    return text;
}

std::string find_or_empty(std::map<std::string, std::string, std::less<>> const& names,
                          std::string_view name) {
    auto const found = names.find(name);
    return found == names.end() ? std::string{} : found->second;
}

bool has_interesting_contents(wire_direction direction, char type) {
    std::string_view const letters = direction == wire_direction::to_server ? "QPBEDC" : "CZKEN";
    return letters.find(type) != std::string_view::npos;
}

} // namespace

void byte_queue::consume(std::size_t count) {
    m_begin += count;
    if (m_begin == m_bytes.size()) {
        clear();
    } else if (m_begin > content_limit && m_begin > m_bytes.size() / 2) {
        m_bytes.erase(0, m_begin);
        m_begin = 0;
    }
}

void byte_queue::clear() {
    m_bytes.clear();
    m_begin = 0;
}

std::optional<message> message_reader::next(wire_direction direction, std::string_view bytes) {
    if (bytes.empty()) {
        return std::nullopt;
    }
    if (direction == wire_direction::to_server && m_starting) {
        return first_packet(bytes);
    }
    message m;
    if (direction == wire_direction::to_client && m_answers_due > 0) {
        --m_answers_due;
        if (bytes[0] == 'S' || bytes[0] == 'G') {
            throw std::runtime_error{
                "the server wants to encrypt; the proxy can only read plain connections"};
        }
        if (bytes[0] == 'N') {
            m.type = message_type::negotiation_answer;
            m.size = 1;
            return m;
        }
    }
    if (bytes.size() < 5) {
        return std::nullopt;
    }
    m.type = bytes[0];
    auto const length = number_at(bytes, 1);
    if (length < 4 || length > 0x7fffffffU) {
        throw std::runtime_error{"a message with an impossible length; this is not protocol 3"};
    }
    m.size = std::size_t{length} + 1;
    if (!has_interesting_contents(direction, m.type)) {
        return m;
    }
    auto const wanted = std::min(m.size, content_limit);
    if (bytes.size() < wanted) {
        return std::nullopt;
    }
    auto const body = bytes.substr(5, wanted - 5);
    if (direction == wire_direction::to_server) {
        read_client(m, body);
    } else {
        read_server(m, body);
    }
    return m;
}

std::optional<message> message_reader::first_packet(std::string_view bytes) {
    if (bytes.size() < 8) {
        return std::nullopt;
    }
    message m;
    m.size = number_at(bytes, 0);
    if (m.size < 8 || m.size > content_limit) {
        throw std::runtime_error{"a start-up packet with an impossible length; this is not protocol 3"};
    }
    switch (number_at(bytes, 4)) {
    case ssl_code:
        m.type = message_type::ssl_request;
        ++m_answers_due;
        break;
    case gss_code:
        m.type = message_type::gss_request;
        ++m_answers_due;
        break;
    case cancel_code:
        m.type = message_type::cancel_request;
        m_starting = false;
        break;
    default:
        m.type = message_type::startup;
        m_starting = false;
    }
    return m;
}

void message_reader::read_client(message& m, std::string_view body) {
    switch (m.type) {
    case 'Q':
        m.sql = take_text(body);
        break;
    case 'P': {
        std::string const name{take_text(body)};
        m.sql = take_text(body);
        m_statements[name] = m.sql;
        break;
    }
    case 'B': {
        std::string const portal{take_text(body)};
        m.sql = find_or_empty(m_statements, take_text(body));
        m_portals[portal] = m.sql;
        break;
    }
    case 'E':
        m.sql = find_or_empty(m_portals, take_text(body));
        break;
    default: { // Describe and Close: a letter for the kind of name, then the name
        bool const portal = !body.empty() && body[0] == 'P';
        body.remove_prefix(std::min<std::size_t>(1, body.size()));
        auto& names = portal ? m_portals : m_statements;
        auto const name = take_text(body);
        m.sql = find_or_empty(names, name);
        if (m.type == 'C') {
            names.erase(std::string{name});
        }
    }
    }
}

void message_reader::read_server(message& m, std::string_view body) const {
    switch (m.type) {
    case 'C':
        m.tag = take_text(body);
        break;
    case 'Z':
        m.status = body.empty() ? '\0' : body[0];
        break;
    case 'K':
        m.backend_pid = body.size() < 4 ? 0 : static_cast<int>(number_at(body, 0));
        break;
    default: // ErrorResponse, NoticeResponse: fields, each a letter and a text
        while (!body.empty() && body[0] != '\0') {
            bool const code = body[0] == 'C';
            body.remove_prefix(1);
            auto const text = take_text(body);
            if (code) {
                m.sqlstate = text;
            }
        }
    }
}

} // namespace once::testing::detail
