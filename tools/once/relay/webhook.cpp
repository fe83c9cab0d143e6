// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/webhook_publisher.hpp>

#include "environment.hpp"
#include "relay/publishers.hpp"
#include "relay/secrets.hpp"

#include <algorithm>
#include <stdexcept>

namespace once::command {

namespace {

std::string url_of(webhook_settings const& settings) {
    if (settings.url.empty()) {
        throw std::invalid_argument{"--to webhook: which receiver? Give --url or ONCE_RELAY_URL"};
    }
    auto const begin = settings.url.find("://");
    auto const host = settings.url.substr(begin == std::string::npos ? 0 : begin + 3);
    auto const user = host.find('@');
    if (user != std::string::npos && user < host.find_first_of("/?#") &&
        variable("ONCE_RELAY_URL") != settings.url) {
        throw std::invalid_argument{"--url: no password on the command line or in the configuration; use "
                                    "ONCE_RELAY_URL in the environment, or --headers-file"};
    }
    return settings.url;
}

// Without what may be a secret: user, query and fragment; and the path, too, when it was given where secrets are.
std::string shown_url(std::string const& url) {
    auto const scheme = url.find("://");
    auto const begin = scheme == std::string::npos ? 0 : scheme + 3;
    auto const path = std::min(url.find_first_of("/?#", begin), url.size());
    auto const user = url.substr(begin, path - begin).rfind('@');
    auto const host = user == std::string::npos ? begin : begin + user + 1;
    auto const end = std::min(url.find_first_of("?#", begin), url.size());
    auto const made = url.substr(0, begin) + url.substr(host, path - host);
    return variable("ONCE_RELAY_URL") == url && end > path + 1 ? made + "/..."
                                                               : made + url.substr(path, end - path);
}

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
    explicit webhook_destination(webhook_settings const& settings)
        : m_url{url_of(settings)},
          m_options{.secrets = secrets_of(settings),
                    .message_form = form_of(settings.form),
                    .cloud_event = {.source = settings.source, .type_prefix = settings.type_prefix},
                    .headers = headers_of(settings),
                    .parallel = settings.parallel,
                    .connect_timeout = settings.connect_timeout,
                    .request_timeout = settings.request_timeout,
                    .max_retry_after = settings.max_retry_after,
                    .conflict_is_accepted = settings.conflict_is_accepted,
                    .public_addresses_only = settings.public_addresses_only,
                    .proxy = settings.proxy,
                    .ca_file = settings.ca_file} {
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

std::unique_ptr<destination> make_webhook(webhook_settings const& settings) {
    return std::make_unique<webhook_destination>(settings);
}

} // namespace once::command
