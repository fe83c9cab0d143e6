// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>

#include "service.hpp"

#include <nlohmann/json.hpp>

namespace shop {

// No key is needed: what a vote is says already which votes are the same. So a repeat is harmless at any time. Only a
// vote that was new is announced.
once::reply cast_vote(once::database& db, vote const& cast, once::call_options const& options) {
    return once::transact(
        db,
        [&](once::transaction& tx) {
            if (votes.insert(tx, cast).inserted) {
                tx.publish({.topic = "votes.cast",
                            .key = cast.poll,
                            .payload = nlohmann::json{{"poll", cast.poll}, {"voter", cast.voter}}});
            }
        },
        options.transaction());
}

} // namespace shop
