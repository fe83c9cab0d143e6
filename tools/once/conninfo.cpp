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

} // namespace once::command
