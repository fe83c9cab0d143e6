// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/nats_publisher.hpp>

#include "relay/broker.hpp"
#include "relay/publishers.hpp"
#include "relay/secrets.hpp"
#include "relay/urls.hpp"

namespace once::command {

namespace {

class nats_destination final : public destination {
public:
    nats_destination(relay_settings const& settings, std::function<void(std::string_view)> log)
        : m_log{std::move(log)},
          m_url{url_of(settings)},
          m_options{.messages = broker_options_of(settings),
                    .stream = settings.nats.stream,
                    .deduplicate = !settings.nats.no_deduplication,
                    .connect_timeout = settings.receiver.connect_timeout,
                    .user = settings.broker.user,
                    .password = password_of(settings),
                    .credentials_file = settings.nats.credentials_file,
                    .tls = settings.broker.tls,
                    .ca_file = settings.receiver.ca_file,
                    .certificate_file = settings.broker.certificate_file,
                    .key_file = settings.broker.key_file,
                    .log = [this](std::string_view line) { m_log(line); }} {
        if (!m_options.credentials_file.empty()) {
            static_cast<void>(read_secret_file("credentials-file", m_options.credentials_file));
        }
        static_cast<void>(nats_publisher{m_url, m_options}); // looks at the options
    }
    [[nodiscard]] std::string place() const override { return shown_url(m_url); }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<nats_publisher>(m_url, m_options);
    }

private:
    each_line_once m_log;
    std::string m_url;
    nats_options m_options;
};

} // namespace

std::unique_ptr<destination> make_nats(relay_settings const& settings,
                                       std::function<void(std::string_view)> log) {
    return std::make_unique<nats_destination>(settings, std::move(log));
}

} // namespace once::command
