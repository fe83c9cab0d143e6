// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"

#include <array>
#include <thread>

namespace demo {

// Both processes vote for both users, again and again.
void send_votes(client const& self, int piece) {
    static constexpr std::array voters{"erin", "frank"};
    static constexpr std::array polls{"best tea", "best lamp", "best chair"};
    auto random = self.random(piece);
    shop::vote const cast{.poll = polls.at(random() % polls.size()),
                          .voter = voters.at(random() % voters.size())};
    once::request const identity{.scope = cast.poll, .key = cast.voter, .fingerprint = once::no_fingerprint};
    auto const vote = [&] {
        self.insist("vote", "plain", identity, [&] { return shop::cast_vote(self.db(), cast, patience()); });
    };
    {
        std::jthread const other{vote};
        vote();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{5 + random() % 15});
}

} // namespace demo
