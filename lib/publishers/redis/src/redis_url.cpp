// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "redis_url.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace once::redis {

namespace {

[[noreturn]] void refuse(char const* why) {
    throw invalid_argument{"redis_publisher.url", why};
}

constexpr char const* form = "it is redis://HOST[:PORT][/DATABASE], with USER:PASSWORD@ in front of the host";

std::string decoded(std::string_view text) {
    std::string made;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            made += text[i];
            continue;
        }
        unsigned value = 0;
        auto const digits = text.substr(i + 1, 2);
        auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (digits.size() != 2 || read.ptr != digits.data() + 2) {
            refuse("a percent sign stands in front of two hexadecimal digits");
        }
        made += static_cast<char>(value);
        i += 2;
    }
    return made;
}

int number(std::string_view text, int most) {
    int value = -1;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < 0 || value > most) {
        refuse(form);
    }
    return value;
}

} // namespace

address parse_url(std::string const& url) {
    constexpr std::string_view scheme = "redis://";
    if (url.starts_with("rediss://")) {
        refuse("TLS is not supported; let a tunnel on this machine speak it, and give its address");
    }
    if (!url.starts_with(scheme) || !std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; })) {
        refuse(form);
    }
    address made;
    auto rest = std::string_view{url}.substr(scheme.size());
    if (auto const slash = rest.find('/'); slash != std::string_view::npos) {
        if (slash + 1 < rest.size()) {
            constexpr int most_databases = 1'000'000;
            made.database = number(rest.substr(slash + 1), most_databases);
        }
        rest = rest.substr(0, slash);
    }
    if (auto const at = rest.rfind('@'); at != std::string_view::npos) {
        auto const login = rest.substr(0, at);
        auto const colon = std::min(login.find(':'), login.size());
        made.user = decoded(login.substr(0, colon));
        made.password = decoded(login.substr(std::min(colon + 1, login.size())));
        rest = rest.substr(at + 1);
    }
    if (rest.starts_with('[')) { // an IPv6 address
        auto const end = rest.find(']');
        if (end == std::string_view::npos) {
            refuse(form);
        }
        made.host = rest.substr(1, end - 1);
        rest = rest.substr(end + 1);
    } else {
        auto const colon = std::min(rest.find(':'), rest.size());
        made.host = rest.substr(0, colon);
        rest = rest.substr(colon);
    }
    if (!rest.empty()) {
        constexpr int most_ports = 65'535;
        made.port = rest.front() == ':' ? number(rest.substr(1), most_ports) : number(rest, 0);
    }
    if (made.host.empty()) {
        refuse(form);
    }
    return made;
}

} // namespace once::redis
