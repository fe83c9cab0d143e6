// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "far_end.hpp"

#include <csignal>
#include <stdexcept>

namespace once::testing {

namespace {

redis_value value_of(redisReply const& reply) {
    redis_value made{.type = reply.type, .number = reply.integer};
    if (reply.str != nullptr) {
        made.text.assign(reply.str, reply.len);
    }
    for (std::size_t i = 0; reply.type == REDIS_REPLY_ARRAY && i < reply.elements; ++i) {
        made.parts.push_back(value_of(*reply.element[i]));
    }
    return made;
}

} // namespace

redis_client::~redis_client() {
    redisFree(m_context);
}

void redis_client::connect() {
    redisFree(m_context);
    auto const host = m_url.find('@') + 1;
    auto const colon = m_url.find(':', host);
    m_context = redisConnect(m_url.substr(host, colon - host).c_str(), std::stoi(m_url.substr(colon + 1)));
    if (m_context == nullptr || m_context->err != 0) {
        throw std::runtime_error{"Redis cannot be reached"};
    }
    auto const begin = m_url.find("://") + 3;
    auto const password = m_url.substr(m_url.find(':', begin) + 1, host - 1 - m_url.find(':', begin) - 1);
    freeReplyObject(redisCommand(m_context, "AUTH %s", password.c_str()));
}

redis_value redis_client::ask(std::vector<std::string> const& words) {
    std::vector<char const*> texts;
    std::vector<std::size_t> sizes;
    for (auto const& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    for (int attempt = 0;; ++attempt) {
        if (m_context == nullptr || m_context->err != 0) {
            connect();
        }
        // The connection may have been lost since the last question; then that is noticed here, by a signal, too.
        auto* const before = std::signal(SIGPIPE, SIG_IGN);
        auto* const reply = static_cast<redisReply*>(
            redisCommandArgv(m_context, static_cast<int>(words.size()), texts.data(), sizes.data()));
        std::signal(SIGPIPE, before);
        if (reply != nullptr) {
            std::unique_ptr<redisReply, void (*)(void*)> const owner{reply, freeReplyObject};
            return value_of(*reply);
        }
        if (attempt > 0) {
            throw std::runtime_error{"Redis does not answer"};
        }
    }
}

std::string redis_entry::field(std::string const& name) const {
    for (auto const& [known, value] : fields) {
        if (known == name) {
            return value;
        }
    }
    return "";
}

redis_stream::redis_stream(broker_server const& server, std::string const& topic)
    : m_client{server}, m_prefix{unique_name("test") + ":"}, m_name{m_prefix + topic} {
    // A stream that is there and empty.
    m_client.ask({"XGROUP", "CREATE", m_name, "readers", "$", "MKSTREAM"});
}

redis_stream::~redis_stream() {
    try {
        m_client.ask({"DEL", m_name});
    } catch (std::exception const&) { // NOLINT(bugprone-empty-catch) the server ends with the tests
    }
}

std::size_t redis_stream::count() {
    try {
        return static_cast<std::size_t>(m_client.ask({"XLEN", m_name}).number);
    } catch (std::runtime_error const&) {
        return 0;
    }
}

std::vector<redis_entry> const& redis_stream::entries() {
    for (;;) {
        redis_value read;
        try {
            read = m_client.ask({"XRANGE", m_name, m_last, "+", "COUNT", "1000"});
        } catch (std::runtime_error const&) {
            return m_entries; // the server is away
        }
        for (auto const& one : read.parts) {
            redis_entry made;
            auto const& fields = one.parts.at(1).parts;
            for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
                made.fields.emplace_back(fields[i].text, fields[i + 1].text);
            }
            m_entries.push_back(std::move(made));
            m_last = "(" + one.parts.at(0).text;
        }
        if (read.parts.empty()) {
            return m_entries;
        }
    }
}

} // namespace once::testing
