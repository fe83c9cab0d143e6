// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/identifier.hpp>

#include "text/quote.hpp"

namespace once {

table_name::table_name(std::string_view text, std::string const& field) : m_text{text} {
    auto const dot = text.find('.');
    auto const first = text.substr(0, dot);
    bool const qualified = dot != std::string_view::npos;
    auto const second = qualified ? text.substr(dot + 1) : std::string_view{};
    // A second dot ends up in `second`, and is_identifier refuses it.
    if (!is_identifier(first) || (qualified && !is_identifier(second))) {
        throw invalid_argument{field,
                               "want table or schema.table, each of lower-case letters, digits and _, not "
                               "beginning with a digit, 1 to 63 bytes"};
    }
    m_quoted = sql::quote_identifier(first);
    if (qualified) {
        m_quoted += '.' + sql::quote_identifier(second);
    }
}

} // namespace once
