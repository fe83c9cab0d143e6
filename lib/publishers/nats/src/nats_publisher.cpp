// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/broker_sender.hpp>
#include <once/error.hpp>
#include <once/nats_publisher.hpp>

#include "nats_transport.hpp"

#include <algorithm>

namespace once {

namespace {

std::vector<std::string> split(std::string const& urls) {
    std::vector<std::string> made;
    for (std::size_t begin = 0; begin <= urls.size();) {
        auto const end = std::min(urls.find(',', begin), urls.size());
        made.push_back(urls.substr(begin, end - begin));
        begin = end + 1;
    }
    for (auto const& url : made) {
        bool const known = url.starts_with("nats://") || url.starts_with("tls://");
        if (!known || url.find("://") + 3 == url.size() ||
            !std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; })) {
            throw invalid_argument{"nats_publisher.urls",
                                   "each server is nats://HOST:PORT or tls://HOST:PORT"};
        }
    }
    return made;
}

nats_options checked(nats_options options) {
    using namespace std::chrono_literals;
    auto const refuse = [](char const* field, char const* why) {
        throw invalid_argument{std::string{"nats_options."} + field, why};
    };
    validate(options.messages);
    if (options.connect_timeout < 1ms || options.connect_timeout > 5min) {
        refuse("connect_timeout", "it must be between 1 millisecond and 5 minutes");
    }
    if (options.certificate_file.empty() != options.key_file.empty()) {
        refuse("certificate_file", "a certificate needs its key, and a key its certificate");
    }
    if (!std::ranges::all_of(options.stream, [](char c) {
            return c > 0x20 && c < 0x7f && c != '.' && c != '*' && c != '>' && c != '/' && c != '\\';
        })) {
        refuse("stream", "a stream has no such name");
    }
    return options;
}

} // namespace

nats_publisher::nats_publisher(std::string const& urls, nats_options options) {
    auto servers = split(urls);
    options = checked(std::move(options));
    auto messages = options.messages;
    m_sender = std::make_unique<detail::broker_sender>(
        std::move(messages), "ce-",
        std::make_unique<nats::transport>(std::move(servers), std::move(options)));
}

nats_publisher::~nats_publisher() = default;

publish_report nats_publisher::publish(std::span<delivery const> messages,
                                       std::chrono::steady_clock::time_point deadline) {
    return m_sender->publish(messages, deadline);
}

} // namespace once
