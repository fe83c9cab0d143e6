// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/outcome.hpp>
#include <once/response.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace once {

/// What became of a call of `execute`.
/**
 * Ask `outcome` in a `switch`, as the first example of the manual does: then the compiler names an outcome that is
 * forgotten. The questions with a name (`replayed`, `in_progress`, …) are for callers that care about one of them.
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT reply {
public:
    /// Everything there is to know; the accessors below are for reading it, and say more about each.
    struct facts {
        once::outcome outcome = once::outcome::unknown;
        /// That of the callback when `done`, the stored one when `replayed`.
        std::optional<once::response> response{};
        bool committed = false;
        bool committed_locally = false;
        bool was_in_doubt = false;
        int attempts = 1;
        std::chrono::milliseconds retry_after{0};
    };

    /// Made by `execute`. Public so that tests of code that gets a reply need no database: give any facts.
    explicit reply(facts value) : m_facts{std::move(value)} {}

    /// What it came to. Every other member says how.
    [[nodiscard]] once::outcome outcome() const noexcept { return m_facts.outcome; }

    /// One outcome each; exactly one of these is true.
    [[nodiscard]] bool done() const noexcept { return m_facts.outcome == once::outcome::done; }
    [[nodiscard]] bool replayed() const noexcept { return m_facts.outcome == once::outcome::replayed; }
    [[nodiscard]] bool in_progress() const noexcept { return m_facts.outcome == once::outcome::in_progress; }
    [[nodiscard]] bool key_reused() const noexcept { return m_facts.outcome == once::outcome::key_reused; }
    [[nodiscard]] bool refused() const noexcept { return m_facts.outcome == once::outcome::refused; }
    [[nodiscard]] bool lease_lost() const noexcept { return m_facts.outcome == once::outcome::lease_lost; }
    [[nodiscard]] bool unknown() const noexcept { return m_facts.outcome == once::outcome::unknown; }

    /// Whether there is a response: always when `done`; when `replayed`, unless only the key was kept
    /// (`store::nothing`). Never with another outcome: nothing of another request is shown.
    [[nodiscard]] bool has_response() const noexcept { return m_facts.response.has_value(); }

    /// The response. A repeat gets status, headers and body as the first request got them, byte for byte.
    /// @throws once::misuse when there is none; ask `outcome` or `has_response` first.
    [[nodiscard]] once::response const& response() const&;
    [[nodiscard]] once::response response() &&;

    /// The JSON of the response's body as a T. Include `<nlohmann/json.hpp>` where you call it.
    /// @throws once::misuse when there is no response
    /// @throws nlohmann::json::exception when the body is not JSON, or not that of a T
    template <class T = nlohmann::json>
    [[nodiscard]] T as() const {
        return response().body.template as<T>();
    }

    /// Whether the effect stands: true when `replayed`, and when `done` unless `call_options::stored` made the
    /// library roll the response's transaction back (an error status that is not kept).
    [[nodiscard]] bool committed() const noexcept { return m_facts.committed; }

    /// For calls where everything else is an error: returns when `committed`. A job that runs on its own has no client
    /// to tell of a running duplicate, for example.
    /// @throws once::not_committed with the outcome
    void expect_committed() const;

    /// The server cancelled the wait for its synchronous standby: committed on the primary, but a failover may lose
    /// it. Until then, and unless it does, every repeat gets this answer. Where that is not enough, ask again with the
    /// same key when the standby is back.
    [[nodiscard]] bool committed_locally() const noexcept { return m_facts.committed_locally; }

    /// The answer to a COMMIT of this call was lost; `outcome` is what the database said afterwards. For logs: nothing
    /// is left to do, unless the outcome is `unknown`.
    [[nodiscard]] bool was_in_doubt() const noexcept { return m_facts.was_in_doubt; }

    /// How many transactions were begun. More than 1: conflicts or broken connections came first, and the callback may
    /// have run as often.
    [[nodiscard]] int attempts() const noexcept { return m_facts.attempts; }

    /// When `in_progress`: a good time to wait before asking again, jitter included.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept { return m_facts.retry_after; }

private:
    facts m_facts;
};

} // namespace once
