// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/redis_publisher.hpp>

#include "relay/broker.hpp"
#include "relay/publishers.hpp"
#include "relay/urls.hpp"

namespace once::command {

namespace {

class redis_destination final : public destination {
public:
    redis_destination(relay_settings const& settings, std::function<void(std::string_view)> log)
        : m_log{std::move(log)},
          m_url{url_of(settings)},
          m_options{.messages = broker_options_of(settings),
                    .make_streams = settings.redis.make_streams,
                    .max_length = settings.redis.max_length,
                    .wait_replicas = settings.redis.wait_replicas,
                    .connect_timeout = settings.receiver.connect_timeout,
                    .user = settings.broker.user,
                    .password = password_of(settings),
                    .log = [this](std::string_view line) { m_log(line); }} {
        if (settings.broker.tls || !settings.receiver.ca_file.empty() ||
            !settings.broker.certificate_file.empty()) {
            throw std::invalid_argument{"--to redis does not speak TLS: leave out --tls, --ca-file and "
                                        "--certificate-file, and let a tunnel on this machine do it"};
        }
        static_cast<void>(redis_publisher{m_url, m_options}); // looks at the options
    }
    [[nodiscard]] std::string place() const override { return shown_url(m_url); }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<redis_publisher>(m_url, m_options);
    }

private:
    each_line_once m_log;
    std::string m_url;
    redis_options m_options;
};

} // namespace

std::unique_ptr<destination> make_redis(relay_settings const& settings,
                                        std::function<void(std::string_view)> log) {
    return std::make_unique<redis_destination>(settings, std::move(log));
}

} // namespace once::command
