// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <string>
#include <unordered_set>

namespace once::detail {

/// Remembers which keys of a batch are blocked, because a message of theirs was not accepted.
class blocked_keys {
public:
    void block(delivery const& message) {
        if (!message.key.empty()) {
            m_keys.insert(message.key);
        }
    }
    [[nodiscard]] bool has(delivery const& message) const {
        return !message.key.empty() && m_keys.contains(message.key);
    }

private:
    std::unordered_set<std::string> m_keys;
};

/// For whatever follows a message of its key that was not accepted.
[[nodiscard]] inline publish_answer behind_its_key() {
    return {.result = publish_result::not_sent, .error = "an earlier message of its key was not accepted"};
}

} // namespace once::detail
