// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/urls.hpp"

#include "environment.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace once::command {

namespace {

void for_each_url(std::string const& list, std::function<void(std::string const&)> const& use) {
    for (std::size_t begin = 0; begin <= list.size();) {
        auto const end = std::min(list.find(',', begin), list.size());
        use(list.substr(begin, end - begin));
        begin = end + 1;
    }
}

bool has_user(std::string const& url) {
    auto const begin = url.find("://");
    auto const host = url.substr(begin == std::string::npos ? 0 : begin + 3);
    auto const user = host.find('@');
    return user != std::string::npos && user < host.find_first_of("/?#");
}

std::string shown(std::string const& url, bool hide_path) {
    auto const scheme = url.find("://");
    auto const begin = scheme == std::string::npos ? 0 : scheme + 3;
    auto const path = std::min(url.find_first_of("/?#", begin), url.size());
    auto const user = url.substr(begin, path - begin).rfind('@');
    auto const host = user == std::string::npos ? begin : begin + user + 1;
    auto const end = std::min(url.find_first_of("?#", begin), url.size());
    auto const made = url.substr(0, begin) + url.substr(host, path - host);
    return hide_path && end > path + 1 ? made + "/..." : made + url.substr(path, end - path);
}

} // namespace

std::string url_of(relay_settings const& settings) {
    auto const& url = settings.receiver.url;
    if (url.empty()) {
        throw std::invalid_argument{"--to " + settings.to + ": which receiver? Give --url or ONCE_RELAY_URL"};
    }
    if (variable("ONCE_RELAY_URL") == url) {
        return url;
    }
    for_each_url(url, [&](std::string const& one) {
        if (has_user(one)) {
            throw std::invalid_argument{settings.to == "webhook"
                                            ? "--url: no password on the command line or in the "
                                              "configuration; use ONCE_RELAY_URL in the "
                                              "environment, or --headers-file"
                                            : "--url: no password on the command line or in the "
                                              "configuration; use ONCE_RELAY_URL in the "
                                              "environment, or --user and --password-file"};
        }
    });
    return url;
}

std::string shown_url(std::string const& url) {
    bool const hide_path = variable("ONCE_RELAY_URL") == url;
    std::string made;
    for_each_url(url,
                 [&](std::string const& one) { made += (made.empty() ? "" : ",") + shown(one, hide_path); });
    return made;
}

} // namespace once::command
