// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>

#include "service.hpp"

namespace shop {

// No key is needed: what a vote is says already which votes are the same. So a repeat is harmless at any time.
once::reply cast_vote(once::database& db, vote const& cast, once::call_options const& options) {
    return once::transact(
        db, [&](once::transaction& tx) { static_cast<void>(votes.insert(tx, cast)); }, options);
}

} // namespace shop
