// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <cstdint>
#include <string>

namespace once {

/// Proof of one acquisition of a lease: the lease's name and the number that this acquisition got.
/**
 * A value that may travel: the process that acquired the lease can give it to the one that does the work. The number
 * grows with each acquisition of the lease, also over a failover, so a receiver that gets it with an action can refuse
 * an older one. Transactions of this database are guarded by `call_options::fence` or `assert_fence`; give the number
 * to other systems that can compare it.
 */
struct fence {
    std::string lease{};
    std::int64_t number = 0;

    bool operator==(fence const&) const = default;
};

/// Checks it: a name as `request::key`, a number from 1.
/// @throws once::invalid_argument naming the field.
ONCE_EXPORT void validate(fence const& fence);

} // namespace once
