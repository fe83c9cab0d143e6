// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "conninfo.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace once::command {

namespace {

using parsed_conninfo = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

parsed_conninfo parse(std::string const& conninfo) {
    return {PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree};
}

std::string quoted_value(std::string_view value) {
    std::string made = "'";
    for (char const c : value) {
        if (c == '\'' || c == '\\') {
            made += '\\';
        }
        made += c;
    }
    return made + "'";
}

} // namespace

void refuse_password(std::string const& conninfo, std::string const& option) {
    auto const options = parse(conninfo);
    if (!options) {
        throw std::invalid_argument{option + ": libpq does not understand it; give keyword=value pairs, or a "
                                             "postgresql:// URI"};
    }
    for (auto const* one = options.get(); one->keyword != nullptr; ++one) {
        std::string_view const keyword{one->keyword};
        if ((keyword == "password" || keyword == "sslpassword") && one->val != nullptr) {
            throw std::invalid_argument{
                option +
                ": no password on the command line or in the configuration, others can read it there; "
                "use ~/.pgpass, a service file, or the environment"};
        }
    }
}

std::string with_default(std::string const& conninfo, std::string const& keyword, char const* variable,
                         std::string const& value) {
    auto const options = parse(conninfo);
    if (!options ||
        (variable != nullptr && std::getenv(variable) != nullptr)) { // NOLINT(concurrency-mt-unsafe)
        return conninfo;
    }
    std::string made;
    for (auto const* one = options.get(); one->keyword != nullptr; ++one) {
        if (one->val == nullptr) {
            continue;
        }
        if (one->keyword == keyword) {
            return conninfo;
        }
        made += std::string{one->keyword} + "=" + quoted_value(one->val) + " ";
    }
    return made + keyword + "=" + quoted_value(value);
}

std::string with_setting(std::string const& conninfo, std::string const& keyword, std::string const& value) {
    auto const options = parse(conninfo);
    if (!options) {
        return conninfo;
    }
    std::string made;
    for (auto const* one = options.get(); one->keyword != nullptr; ++one) {
        if (one->val != nullptr && one->keyword != keyword) {
            made += std::string{one->keyword} + "=" + quoted_value(one->val) + " ";
        }
    }
    return made + keyword + "=" + quoted_value(value);
}

std::string place_of(std::string const& conninfo) {
    auto const given = parse(conninfo);
    parsed_conninfo const usual{PQconndefaults(), &PQconninfoFree};
    auto const value = [](PQconninfoOption const* at, std::string_view keyword) {
        for (; at != nullptr && at->keyword != nullptr; ++at) {
            if (at->keyword == keyword && at->val != nullptr) {
                return std::string{at->val};
            }
        }
        return std::string{};
    };
    auto const of = [&](std::string_view keyword) {
        auto const said = value(given.get(), keyword);
        return said.empty() ? value(usual.get(), keyword) : said;
    };
    std::string made;
    auto const add = [&](std::string_view keyword, std::string const& text) {
        if (!text.empty()) {
            made += (made.empty() ? "" : " ") + std::string{keyword} + "=" + text;
        }
    };
    auto host = of("host");
    host = host.empty() ? of("hostaddr") : host;
    add("service", of("service"));
    add("host", host.empty() ? "(the default socket)" : host);
    add("port", of("port"));
    add("dbname", of("dbname").empty() ? of("user") : of("dbname"));
    add("user", of("user"));
    return made;
}

std::string shell_quoted(std::string const& word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    if (!word.empty() && word.front() != '-' && word.find_first_not_of(plain) == std::string::npos) {
        return word;
    }
    std::string made = "'";
    for (char const c : word) {
        made += c == '\'' ? std::string{"'\\''"} : std::string{c};
    }
    return made + "'";
}

} // namespace once::command
