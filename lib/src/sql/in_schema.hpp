// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

namespace once::sql {

/// A statement as it stands in this folder, for one schema: each `{schema}` becomes its quoted name.
/**
 * The statements are whole raw strings with a placeholder, so that one can be searched for as it appears in
 * pg_stat_activity, and be pasted into psql. The name is put in once; a placeholder inside of it stays as it is.
 * @param quoted_schema what `quote_identifier` made of the name
 */
[[nodiscard]] inline std::string in_schema(std::string_view text, std::string_view quoted_schema) {
    constexpr std::string_view placeholder = "{schema}";
    std::string whole;
    whole.reserve(text.size() + quoted_schema.size());
    for (auto at = text.find(placeholder); at != std::string_view::npos; at = text.find(placeholder)) {
        whole.append(text.substr(0, at)).append(quoted_schema);
        text.remove_prefix(at + placeholder.size());
    }
    return whole.append(text);
}

} // namespace once::sql
