// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>

#include <string_view>

namespace once {

/// What became of a request.
enum class outcome {
    /// The work was done by this call.
    done,
    /// It had been done before (or by an attempt of this call whose COMMIT was in doubt): here is the stored response.
    replayed,
    /// Somebody else is at it and did not end within `call_options::wait`. Ask again later.
    in_progress,
    /// The key was used for a request with another fingerprint. Nothing was run, nothing is shown.
    key_reused,
    /// The one-time token is not valid for this principal and purpose, or not any more. Nothing was run.
    refused,
    /// The lease of `call_options::fence` is not held with that fence any more. Nothing took effect. Stop: the
    /// present holder does the work.
    lease_lost,
    /// The answer to COMMIT was lost and could not be found out within the deadline: it took effect once or not at
    /// all. Repeat the call with the same key to learn which.
    unknown,
};

/// The word that C++, SQL, documentation and logs use for it.
[[nodiscard]] ONCE_EXPORT std::string_view to_string(outcome value) noexcept;

} // namespace once
