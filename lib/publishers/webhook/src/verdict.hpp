// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <chrono>
#include <string>

namespace once::webhook {

/// How one request ended.
struct ending {
    enum class kind {
        /// A whole answer came.
        answered,
        /// Nobody could be connected to. Nothing was sent, or it went into a kept connection that had ended.
        no_connection,
        /// Something was sent over a connection, and no whole answer came.
        lost,
    };
    kind how = kind::lost;
    int status = 0;
    /// What libcurl calls it; without address or data.
    std::string why{};
    std::chrono::milliseconds retry_after{0};
};

/// Whether a receiver that ends every request like this may be unavailable: no answer, or one that comes from what
/// stands in front of it as well (429, 502, 503, 504). The relay finds out whether it is that or the messages.
[[nodiscard]] bool may_be_unavailable(ending const& ending) noexcept;

/// What an answer means for its message.
/// @param conflict_is_accepted see webhook_options
/// @param most                 see webhook_options::max_retry_after
[[nodiscard]] publish_answer judge(ending const& ending, bool conflict_is_accepted,
                                   std::chrono::milliseconds most);

} // namespace once::webhook
