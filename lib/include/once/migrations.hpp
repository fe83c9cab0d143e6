// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <span>
#include <string_view>

namespace once {

/// One step of the schema: the two files of `migrations/` that share a number, as they were when this library was
/// built.
struct migration {
    /// 1, 2, 3, ... without a gap; `installed_version()` of a schema is the number of its newest one.
    int version;

    /// The name of the files without their ending, for example `0003_idempotency_record`.
    std::string_view name;

    /// Text of `NNNN_what.up.sql`, byte for byte.
    std::string_view up;

    /// Text of `NNNN_what.down.sql`, byte for byte. It takes the step back and drops the data that it holds.
    std::string_view down;

    /// SHA-256 of `up`, 64 lower-case hexadecimal digits: the same as `sha256sum` prints for the file.
    std::string_view up_sha256;
};

/// All steps of the schema that this version of the library needs, in order. Never empty.
/**
 * For migration tools and tests that have no path to the installed `*.sql` files. The library itself applies none of
 * them: it checks the schema when it connects.
 *
 * To apply a step, send `up`, with the schema first in the `search_path`. It is several
 * statements, so it goes without parameters (`tx.exec(std::string{step.up})`), and it records itself in
 * `schema_version`. Steps go up in this order, and down in the reverse order.
 *
 * @par Thread safety
 * Any thread, at any time; the texts live as long as the program.
 */
[[nodiscard]] ONCE_EXPORT std::span<migration const> migrations() noexcept;

} // namespace once
