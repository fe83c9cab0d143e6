// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each way in which a receiver can fail, over one script.
#include "delivery/dispatcher.hpp"
#include "judgement/call_size.hpp"
#include "support/paper_relay.hpp"
#include "support/publisher_conformance.hpp"
#include "support/seed.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace once;
using namespace once::detail;
using namespace once::testing;

namespace {

/// How a bad message makes itself felt.
enum class manner {
    /// The receiver refuses it by name; when that is all that a call brought, the publisher thinks that it is away.
    named,
    /// The publisher ends the call there, and says that the receiver is away.
    opaque,
    /// The publisher throws, so that nobody hears of what was accepted before it.
    throws,
    /// An answer of its own.
    retried,
    rejected,
    /// The receiver ends, and is back after some calls.
    kills,
};
constexpr manner all_manners[]{manner::named,   manner::opaque,   manner::throws,
                               manner::retried, manner::rejected, manner::kills};

/// A receiver as a script: what is bad, and in which way, and when it is away. Counts its time.
class scripted_receiver {
public:
    manner how = manner::named;
    std::function<bool(delivery const&)> is_bad = [](auto const&) { return false; };
    std::function<bool()> is_away = [] { return false; };

    // A call costs as much as ten messages in it: a round trip, an fsync.
    static constexpr double call_cost = 1.0;
    static constexpr double message_cost = 0.1;
    double time = 0;
    int calls = 0;
    std::vector<delivery> arrived{};

    dispatcher::call publish(std::span<delivery const> messages) {
        ++calls;
        time += call_cost;
        dispatcher::call made{.report = {.answers = std::vector<publish_answer>(
                                             messages.size(), {.result = publish_result::not_sent})}};
        if (m_dead_for > 0 || is_away()) {
            m_dead_for -= m_dead_for > 0 ? 1 : 0;
            made.report.unavailable = "nobody is there";
            return made;
        }
        std::set<std::string> blocked;
        bool accepted = false;
        for (std::size_t i = 0; i < messages.size(); ++i) {
            auto& answer = made.report.answers[i];
            if (!messages[i].key.empty() && blocked.contains(messages[i].key)) {
                continue;
            }
            time += message_cost;
            if (!is_bad(messages[i])) {
                answer = {};
                arrived.push_back(messages[i]);
                accepted = true;
                continue;
            }
            if (how == manner::throws) {
                return {.report = {.unavailable = "the publisher threw"}};
            }
            if (how == manner::opaque || how == manner::kills) {
                m_dead_for = how == manner::kills ? 3 : 0;
                made.report.unavailable = "the connection was lost";
                return made;
            }
            answer = {.result = how == manner::rejected ? publish_result::rejected : publish_result::retry,
                      .error = "bad"};
            blocked.insert(messages[i].key);
        }
        if (how == manner::named && !accepted) {
            made.report.unavailable = "503 to everything";
        }
        return made;
    }

private:
    int m_dead_for = 0;
};

std::vector<delivery> log_of(std::size_t count, std::size_t keys) {
    std::vector<delivery> made;
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(make_delivery("k" + std::to_string(i % keys), body::text(std::to_string(i))));
        made.back().position = static_cast<std::int64_t>(i);
    }
    return made;
}

/// Whether each key's messages came in order, but for repeats of what came before.
bool in_order(std::vector<delivery> const& arrived) {
    std::map<std::string, std::int64_t> last;
    std::set<std::int64_t> seen;
    return std::ranges::all_of(arrived, [&](auto const& one) {
        if (!seen.insert(one.position).second) {
            return true;
        }
        auto& before = last.try_emplace(one.key, -1).first->second;
        return std::exchange(before, one.position) < one.position;
    });
}

struct outcome_of_run {
    double time = 0;
    int rounds = 0;
    bool all_good_accepted = false;
    bool all_bad_dead = false;
    int attempts_of_good = 0;
};

using predicate = std::function<bool(delivery const&)>;

/// Runs until each good message that no bad one of its key holds back is accepted, and notes the time; then on until
/// the bad ones are dead, with a good one now and then, as a service goes on publishing.
outcome_of_run run(std::vector<delivery> const& log, scripted_receiver& receiver, std::uint64_t seed,
                   int most_rounds = 20'000) {
    constexpr int max_attempts = 3;
    paper_relay relay{log, max_attempts, seed, [&](auto messages) { return receiver.publish(messages); }};
    std::set<std::string> bad_keys;
    std::vector<std::size_t> good;
    std::vector<std::size_t> bad;
    for (std::size_t i = 0; i < log.size(); ++i) {
        if (bad_keys.contains(log[i].key)) {
            continue; // behind a bad one
        }
        bool const is_bad = receiver.is_bad(relay.log()[i]);
        (is_bad ? bad : good).push_back(i);
        if (is_bad) {
            bad_keys.insert(log[i].key);
        }
    }
    outcome_of_run made;
    for (int extra = 0; made.rounds < most_rounds; made.rounds = relay.rounds()) {
        static_cast<void>(relay.round());
        if (!made.all_good_accepted &&
            std::ranges::all_of(good, [&](auto i) { return relay.fate_of(i).accepted; })) {
            made.all_good_accepted = true;
            made.time = receiver.time;
        }
        made.all_bad_dead = std::ranges::all_of(bad, [&](auto i) { return relay.fate_of(i).dead; });
        if (made.all_good_accepted && made.all_bad_dead) {
            break;
        }
        if (made.all_good_accepted) {
            relay.publish(make_delivery("extra" + std::to_string(++extra), body::text("extra")));
        }
    }
    for (auto const i : good) {
        made.attempts_of_good += std::max(0, relay.fate_of(i).attempts);
    }
    return made;
}

std::string to_text(manner how) {
    constexpr char const* names[]{"named", "opaque", "throws", "retried", "rejected", "kills"};
    return names[static_cast<std::size_t>(how)];
}

} // namespace

TEST_CASE("messages that can never pass leave the others four fifths of their pace, and die",
          "[relay][property]") {
    auto const how = all_manners[GENERATE(0U, 1U, 2U, 3U, 4U, 5U)];
    auto const* const where = GENERATE("at the head", "anywhere", "some keys");
    auto const seed = once::testing::seed();
    std::mt19937_64 random{seed};
    CAPTURE(to_text(how), where, seed);
    auto const log = log_of(20'000, 2'000);
    // What says nothing of single messages costs all that its call had done, so fewer of it are bearable.
    bool const costs_calls = how == manner::opaque || how == manner::throws || how == manner::kills;
    int const some = costs_calls ? 3 : 20;
    std::set<std::int64_t> bad;
    if (std::string_view{where} == "at the head") {
        for (std::int64_t i = 0; i < 40; ++i) {
            bad.insert(i);
        }
    } else if (std::string_view{where} == "anywhere") {
        for (int i = 0; i < some; ++i) {
            bad.insert(static_cast<std::int64_t>(random() % log.size()));
        }
    } else {
        for (int i = 0; i < some; ++i) {
            for (auto at = random() % 2'000; at < log.size(); at += 2'000) {
                bad.insert(static_cast<std::int64_t>(at));
            }
        }
    }
    scripted_receiver undisturbed;
    auto const without = run(log, undisturbed, seed);
    REQUIRE(without.all_good_accepted);
    scripted_receiver receiver;
    receiver.how = how;
    receiver.is_bad = [&](delivery const& one) {
        return one.topic == "orders.placed" && one.payload.data() != "extra" && bad.contains(one.position);
    };
    auto const with = run(log, receiver, seed);
    CHECK(with.all_good_accepted);
    CHECK(with.all_bad_dead);
    CHECK(in_order(receiver.arrived));
    if (how != manner::kills) { // which is an outage each time
        CHECK(without.time / with.time >= 0.8);
    }
    CHECK(with.rounds < 1'000);
    if (how != manner::kills) {
        CHECK(with.attempts_of_good == 0);
    }
    UNSCOPED_INFO("pace " << without.time / with.time << ", " << with.rounds << " rounds, " << receiver.calls
                          << " calls");
    CHECK(receiver.calls > 0);
}

// One attempt is lost where an outage begins just when a suspect is sent once more, or twice with the same message.
TEST_CASE("outages cost next to no attempts and no message, however long they are", "[relay][property]") {
    auto const seed = once::testing::seed();
    std::mt19937_64 random{seed};
    CAPTURE(seed);
    auto const log = log_of(5'000, 500);
    scripted_receiver receiver;
    int until_next = 2;
    int left = 0;
    int outages = 0;
    receiver.is_away = [&] {
        if (left == 0 && --until_next == 0) {
            left = static_cast<int>(6 + random() % 200);
            until_next = static_cast<int>(12 + random() % 40);
            ++outages;
        }
        left -= left > 0 ? 1 : 0;
        return left > 0;
    };
    paper_relay relay{log, 5, seed, [&](auto messages) { return receiver.publish(messages); }, 100};
    for (std::size_t i = 0; i < log.size() && relay.rounds() < 100'000;
         i += relay.fate_of(i).accepted ? 1 : 0) {
        if (!relay.fate_of(i).accepted) {
            static_cast<void>(relay.round());
        }
    }
    int attempts = 0;
    for (std::size_t i = 0; i < log.size(); ++i) {
        CHECK(relay.fate_of(i).accepted);
        attempts += relay.fate_of(i).attempts;
    }
    CHECK(in_order(receiver.arrived));
    CHECK(outages > 0);
    CHECK(attempts <= outages / 2);
}

TEST_CASE("bad messages among outages die, and the good ones arrive in order", "[relay][property]") {
    auto const how = all_manners[GENERATE(0U, 1U, 2U, 3U, 4U, 5U)];
    auto const seed = once::testing::seed();
    std::mt19937_64 random{seed};
    CAPTURE(to_text(how), seed);
    auto const log = log_of(3'000, 300);
    scripted_receiver receiver;
    receiver.how = how;
    std::set<std::int64_t> bad;
    for (int i = 0; i < 10; ++i) {
        bad.insert(static_cast<std::int64_t>(random() % log.size()));
    }
    receiver.is_bad = [&](delivery const& one) {
        return one.payload.data() != "extra" && bad.contains(one.position);
    };
    int left = 0;
    receiver.is_away = [&] {
        left = left > 0 ? left - 1 : random() % 40 == 0 ? 15 : 0;
        return left > 0;
    };
    auto const did = run(log, receiver, seed);
    CHECK(did.all_good_accepted);
    CHECK(did.all_bad_dead);
    CHECK(in_order(receiver.arrived));
}

TEST_CASE("a whole batch of bad messages does not hide the good ones behind it", "[relay]") {
    auto const how = all_manners[GENERATE(0U, 1U, 2U)];
    CAPTURE(to_text(how));
    auto const log = log_of(4'000, 4'000);
    scripted_receiver receiver;
    receiver.how = how;
    receiver.is_bad = [&](delivery const& one) {
        return one.payload.data() != "extra" && one.position < 1'500;
    };
    auto const did = run(log, receiver, 7);
    CHECK(did.all_good_accepted);
    CHECK(did.all_bad_dead);
}

TEST_CASE("one key that fills whole batches does not hide the others", "[relay]") {
    std::vector<delivery> log;
    for (int i = 0; i < 3'000; ++i) {
        log.push_back(
            make_delivery(i < 2'500 ? "busy" : "k" + std::to_string(i), body::text(std::to_string(i))));
        log.back().position = i;
    }
    scripted_receiver receiver;
    receiver.how = manner::opaque;
    receiver.is_bad = [](delivery const& one) { return one.key == "busy"; };
    auto const did = run(log, receiver, 7);
    CHECK(did.all_good_accepted);
    CHECK(did.all_bad_dead);
}

TEST_CASE("a message that is refused alone, each time after others were accepted, is found", "[relay]") {
    auto const how = all_manners[GENERATE(0U, 1U, 2U, 5U)];
    CAPTURE(to_text(how));
    scripted_receiver receiver;
    receiver.how = how;
    receiver.is_bad = [](delivery const& one) { return one.payload.data() == "bad"; };
    auto log = std::vector{make_delivery("bad", body::text("bad"))};
    paper_relay relay{log, 3, 1, [&](auto messages) { return receiver.publish(messages); }};
    int rounds = 0;
    for (; !relay.fate_of(0).dead && rounds < 500; ++rounds) {
        static_cast<void>(relay.round());
        if (rounds % 4 == 0) { // never in the same round as the bad one, when that waits for its time
            relay.publish(make_delivery("", body::text("good")));
        }
    }
    CHECK(relay.fate_of(0).dead);
    CHECK(relay.fate_of(0).attempts == 3);
}

TEST_CASE("a message alone with a receiver that takes nothing keeps its attempts", "[relay]") {
    scripted_receiver receiver;
    receiver.is_away = [] { return true; };
    paper_relay relay{{make_delivery("k", body::text("1"))}, 1, 1, [&](auto messages) {
                          return receiver.publish(messages);
                      }};
    for (int i = 0; i < 100; ++i) {
        CHECK(relay.round());
    }
    CHECK(relay.fate_of(0).attempts == 0);
    receiver.is_away = [] { return false; };
    CHECK_FALSE(relay.round());
    CHECK(relay.fate_of(0).accepted);
}

TEST_CASE("calls get smaller until they fit their time, and grow again", "[relay]") {
    dispatcher judge{1000};
    std::vector<std::size_t> sizes;
    std::size_t most = 10;
    auto const publish = [&](std::span<delivery const> messages) {
        sizes.push_back(messages.size());
        dispatcher::call made{.report = {.answers = std::vector<publish_answer>(messages.size())}};
        if (messages.size() > most) {
            std::ranges::fill(made.report.answers, publish_answer{.result = publish_result::not_sent});
            made.too_much = true;
        }
        return made;
    };
    auto batch = judge.begin(log_of(1000, 1000), 1);
    judge.deliver(dispatcher::kind::fresh, batch, publish, [](auto const&) { return true; });
    CHECK(batch.counted().accepted == 1000);
    CHECK(sizes[0] == 1000);
    CHECK(sizes[1] == 125);
    CHECK(sizes[2] == 15);
    CHECK(sizes[3] == 1);
    CHECK(std::ranges::count_if(sizes, [](auto size) { return size > 10; }) * 3 <
          static_cast<std::ptrdiff_t>(sizes.size()));
    most = 1000;
    auto next = judge.begin(log_of(5000, 5000), 1);
    judge.deliver(dispatcher::kind::fresh, next, publish, [](auto const&) { return true; });
    CHECK(judge.size(dispatcher::kind::fresh) == 1000);
}

TEST_CASE("the amount that is tried at once follows what fits", "[judgement]") {
    call_size size{1000};
    CHECK(size.now() == 1000);
    size.was_too_much(1000, 300);
    CHECK(size.now() == 300);
    size.was_too_much(300, 0);
    CHECK(size.now() == 37);
    size.fitted(5); // fewer than allowed say nothing
    CHECK(size.now() == 37);
    size.fitted(37);
    CHECK(size.now() == 74);
    for (int i = 0; i < 10; ++i) {
        size.was_too_much(size.now(), 0);
    }
    CHECK(size.now() == 1);
    for (int i = 0; i < 20; ++i) {
        size.fitted(size.now());
    }
    CHECK(size.now() == 1000);
    CHECK(call_size{1000, 64}.now() == 64);
}
