// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/publisher.hpp>

#include <memory>
#include <string>
#include <vector>

namespace once::testing {

/// One message as it reached a receiver.
struct arrival {
    message_id id;
    std::string topic{};
    std::string key{};
    std::string payload{};
};

/// What a receiver is told to do with a message.
enum class mishap {
    /// Asks for it again later.
    ask_again,
    /// Refuses it for good.
    refuse,
    /// Takes it, and the reply gets lost.
    lose_reply,
    /// Never replies.
    stay_silent,
    /// Behaves towards this message as if nobody could take anything: 503, a connection that ends, a full disk.
    seem_away,
};

/// The far end of a publisher, under the control of the conformance suite.
class receiver_under_test {
public:
    receiver_under_test() = default;
    virtual ~receiver_under_test() = default;
    receiver_under_test(receiver_under_test const&) = delete;
    receiver_under_test& operator=(receiver_under_test const&) = delete;

    [[nodiscard]] virtual std::unique_ptr<publisher> make_publisher() = 0;

    /// Everything that reached it whole, in the order of arrival. Repeats count, unless it absorbs them.
    [[nodiscard]] virtual std::vector<arrival> arrivals() = 0;
    [[nodiscard]] virtual bool absorbs_repeats() const { return false; }

    /// Whether this receiver can do such a thing at all: a file refuses nothing.
    [[nodiscard]] virtual bool can(mishap what) const = 0;
    /// From now on it does that with this message.
    virtual void plan(message_id const& id, mishap what) = 0;
    virtual void forget_plans() = 0;

    /// Nobody can reach it from now on, until it comes back.
    virtual void go_away() = 0;
    virtual void come_back() = 0;
};

/// A rule of publisher.hpp that a publisher does not keep.
struct violation {
    /// Its name: answers, delivers, bytes, order, behind, others, counted, outage, retry, rejected, lost, deadline,
    /// late, past, unavailable, secrets, repeats.
    std::string rule{};
    std::string what{};
};

/// Puts a publisher through all rules of publisher.hpp. Also behind the judgement of a relay (a paper_relay, so
/// lib/src is on the include path): messages that can never pass stop nobody, are counted and die, and an outage
/// costs no attempts.
/// @return what it does not keep; empty for a good one
[[nodiscard]] std::vector<violation> check_conformance(receiver_under_test& receiver);

/// For messages of failing tests.
[[nodiscard]] std::string to_text(std::vector<violation> const& violations);

/// A delivery with a fresh id.
[[nodiscard]] delivery make_delivery(std::string key, body payload);

/// What became of each message, in their order.
[[nodiscard]] std::vector<publish_result> results_of(publish_report const& report);

} // namespace once::testing
