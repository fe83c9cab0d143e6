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
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT reply {
public:
    /// Everything there is to know; the accessors below are for reading it.
    struct facts {
        once::outcome outcome = once::outcome::unknown;
        std::optional<once::response> response{};
        bool committed = false;
        bool committed_locally = false;
        bool was_in_doubt = false;
        int attempts = 1;
        std::chrono::milliseconds retry_after{0};
    };

    explicit reply(facts value) : m_facts{std::move(value)} {}

    [[nodiscard]] once::outcome outcome() const noexcept { return m_facts.outcome; }
    [[nodiscard]] bool done() const noexcept { return m_facts.outcome == once::outcome::done; }
    [[nodiscard]] bool replayed() const noexcept { return m_facts.outcome == once::outcome::replayed; }
    [[nodiscard]] bool in_progress() const noexcept { return m_facts.outcome == once::outcome::in_progress; }
    [[nodiscard]] bool key_reused() const noexcept { return m_facts.outcome == once::outcome::key_reused; }
    [[nodiscard]] bool refused() const noexcept { return m_facts.outcome == once::outcome::refused; }
    [[nodiscard]] bool lease_lost() const noexcept { return m_facts.outcome == once::outcome::lease_lost; }
    [[nodiscard]] bool unknown() const noexcept { return m_facts.outcome == once::outcome::unknown; }

    /// Whether there is a response: always when `done`; when `replayed`, unless only the key was kept.
    [[nodiscard]] bool has_response() const noexcept { return m_facts.response.has_value(); }

    /// The response.
    /// @throws once::misuse when there is none; ask `outcome` or `has_response` first.
    [[nodiscard]] once::response const& response() const&;
    [[nodiscard]] once::response response() &&;

    /// The JSON of the response's body as a T. Throws as `response` and `body::as` do.
    template <class T = nlohmann::json>
    [[nodiscard]] T as() const {
        return response().body.template as<T>();
    }

    /// Whether the effect stands: true when `replayed`, and when `done` unless `call_options::stored` made the
    /// library roll the response's transaction back (an error status that is not kept).
    [[nodiscard]] bool committed() const noexcept { return m_facts.committed; }

    /// For calls where everything else is an error: returns when `committed`.
    /// @throws once::not_committed with the outcome
    void expect_committed() const;

    /// The server cancelled the wait for its synchronous standby: committed on the primary, but a failover may lose
    /// it.
    [[nodiscard]] bool committed_locally() const noexcept { return m_facts.committed_locally; }

    /// The answer to a COMMIT of this call was lost; `outcome` is what the database said afterwards.
    [[nodiscard]] bool was_in_doubt() const noexcept { return m_facts.was_in_doubt; }

    /// How many transactions were begun.
    [[nodiscard]] int attempts() const noexcept { return m_facts.attempts; }

    /// When `in_progress`: a good time to wait before asking again, jitter included.
    [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept { return m_facts.retry_after; }

private:
    facts m_facts;
};

} // namespace once
