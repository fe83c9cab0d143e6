// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/webhook_publisher.hpp>

#include "environment.hpp"
#include "relay/publishers.hpp"
#include "relay/secrets.hpp"
#include "relay/urls.hpp"

#include <algorithm>
#include <stdexcept>

namespace once::command {

namespace {

std::vector<std::string> secrets_of(webhook_settings const& settings) {
    if (!settings.secret_file.empty()) {
        return lines_of(read_secret_file("secret-file", settings.secret_file));
    }
    auto text = variable("ONCE_RELAY_SECRET").value_or("");
    std::ranges::replace(text, ' ', '\n');
    return lines_of(text);
}

std::vector<header> headers_of(webhook_settings const& settings) {
    std::vector<header> made;
    if (settings.headers_file.empty()) {
        return made;
    }
    for (auto const& line : lines_of(read_secret_file("headers-file", settings.headers_file))) {
        auto const colon = line.find(':');
        auto const value = line.find_first_not_of(" \t", colon == std::string::npos ? colon : colon + 1);
        if (colon == 0 || value == std::string::npos) {
            throw std::invalid_argument{"--headers-file: each line is Name: value"};
        }
        made.emplace_back(line.substr(0, colon), line.substr(value));
    }
    return made;
}

webhook_options::form form_of(std::string const& name) {
    return name == "binary"       ? webhook_options::form::cloud_event_binary
           : name == "structured" ? webhook_options::form::cloud_event_structured
                                  : webhook_options::form::plain;
}

class webhook_destination final : public destination {
public:
    explicit webhook_destination(relay_settings const& all)
        : m_url{url_of(all)},
          m_options{.secrets = secrets_of(all.webhook),
                    .message_form = form_of(all.receiver.form),
                    .cloud_event = {.source = all.receiver.source, .type_prefix = all.receiver.type_prefix},
                    .headers = headers_of(all.webhook),
                    .parallel = all.webhook.parallel,
                    .connect_timeout = all.receiver.connect_timeout,
                    .request_timeout = all.webhook.request_timeout,
                    .max_retry_after = all.webhook.max_retry_after,
                    .conflict_is_accepted = all.webhook.conflict_is_accepted,
                    .public_addresses_only = all.webhook.public_addresses_only,
                    .proxy = all.webhook.proxy,
                    .ca_file = all.receiver.ca_file} {
        static_cast<void>(webhook_publisher{m_url, m_options}); // looks at the options
    }
    [[nodiscard]] std::string place() const override { return shown_url(m_url); }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<webhook_publisher>(m_url, m_options);
    }

private:
    std::string m_url;
    webhook_options m_options;
};

} // namespace

std::unique_ptr<destination> make_webhook(relay_settings const& settings) {
    return std::make_unique<webhook_destination>(settings);
}

} // namespace once::command
