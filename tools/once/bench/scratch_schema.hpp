// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "session.hpp"

#include <string>

namespace once::command {

/// A schema of the library that nobody else knows, made by the migrations of this command and gone with this object.
/**
 * Its group roles are made and dropped with it, by the migrations themselves.
 */
class scratch_schema {
public:
    /// Makes it. When that fails half-way, what was made is removed.
    explicit scratch_schema(target const& where);
    /// Removes it; when that fails, a line on standard error says how to.
    ~scratch_schema();
    scratch_schema(scratch_schema const&) = delete;
    scratch_schema& operator=(scratch_schema const&) = delete;

    /// A name that is not taken: once_bench_PID_RANDOM.
    [[nodiscard]] static std::string make_name();

private:
    void remove() const;

    target m_where;
};

} // namespace once::command
