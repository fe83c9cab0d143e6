// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/statement.hpp>

#include "wire/binary_array.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace once::detail {

/// Appends an `interval` in PostgreSQL's binary format: microseconds, and no days or months. Made of a number by the
/// server, each one would cost more than the check of it.
inline void add_interval(parameters& to, std::chrono::milliseconds value) {
    auto const microseconds = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    std::string bytes;
    append_big_endian(bytes, static_cast<std::uint64_t>(microseconds));
    append_big_endian(bytes, std::uint64_t{0});
    to.add(std::as_bytes(std::span{bytes}));
}

} // namespace once::detail
