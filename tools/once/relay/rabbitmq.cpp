// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/rabbitmq_publisher.hpp>

#include "relay/broker.hpp"
#include "relay/publishers.hpp"
#include "relay/urls.hpp"

namespace once::command {

namespace {

class rabbitmq_destination final : public destination {
public:
    explicit rabbitmq_destination(relay_settings const& settings)
        : m_url{url_of(settings)},
          m_options{.messages = broker_options_of(settings),
                    .exchange = settings.rabbitmq.exchange,
                    .allow_unroutable = settings.rabbitmq.allow_unroutable,
                    .connect_timeout = settings.receiver.connect_timeout,
                    .user = settings.broker.user,
                    .password = password_of(settings),
                    .ca_file = settings.receiver.ca_file,
                    .certificate_file = settings.broker.certificate_file,
                    .key_file = settings.broker.key_file} {
        static_cast<void>(rabbitmq_publisher{m_url, m_options}); // looks at the options
    }
    [[nodiscard]] std::string place() const override { return shown_url(m_url); }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<rabbitmq_publisher>(m_url, m_options);
    }

private:
    std::string m_url;
    rabbitmq_options m_options;
};

} // namespace

std::unique_ptr<destination> make_rabbitmq(relay_settings const& settings,
                                           std::function<void(std::string_view)> /*log*/) {
    return std::make_unique<rabbitmq_destination>(settings);
}

} // namespace once::command
