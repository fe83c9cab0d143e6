// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/statement.hpp>

#include "text/text_rules.hpp"

#include <cstring>

namespace once {

parameters& parameters::add(std::nullopt_t) {
    m_values.push_back({});
    return *this;
}

parameters& parameters::add(bool truth) {
    m_values.push_back({truth ? "t" : "f", false});
    return *this;
}

parameters& parameters::add(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        throw invalid_argument{"parameter $" + std::to_string(m_values.size() + 1),
                               "text with a NUL; give bytes (std::span<std::byte const>) for a bytea"};
    }
    if (!detail::is_utf8(text)) {
        throw invalid_argument{"parameter $" + std::to_string(m_values.size() + 1), "text that is not UTF-8"};
    }
    m_values.push_back({std::string{text}, false});
    return *this;
}

parameters& parameters::add(std::span<std::byte const> bytes) {
    std::string data(bytes.size(), '\0');
    if (!bytes.empty()) {
        std::memcpy(data.data(), bytes.data(), bytes.size());
    }
    m_values.push_back({std::move(data), true});
    return *this;
}

} // namespace once
