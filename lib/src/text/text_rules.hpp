// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string_view>

namespace once::detail {

/// Printable ASCII (0x20 to 0x7e) without a space at either end, not empty.
[[nodiscard]] bool is_printable_ascii(std::string_view text) noexcept;

/// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Whether `text` is one JSON value that PostgreSQL's json type takes and keeps: no NUL, and nested no deeper than 512,
/// where the server's own parser is far from its stack limit.
[[nodiscard]] bool is_storable_json(std::string_view text);

} // namespace once::detail
