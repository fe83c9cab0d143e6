// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/operation.hpp>

#include "operation/operation_store.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace once::detail {

/// One owner's run of one operation, from where it stands to its end.
/**
 * The recovery point in the database is the truth; `m_state` is what this owner last knew of it. Every statement that
 * moves it names the fence and the recovery point that it starts from, so it can be carried out once at most. When
 * the answer to a COMMIT is lost, `settle_doubt` asks where the operation stands and takes a new fence: a COMMIT that
 * is still on its way to the server is refused from then on.
 */
class operation_run {
public:
    operation_run(database& db, operation_plan const& plan, std::string owner);

    /// Begins the operation of this request, or goes on with it.
    [[nodiscard]] operation_reply run(request const& request, std::string const& data);
    /// Takes over an operation of the plan that nobody runs any more; see `operation_store::next`.
    [[nodiscard]] std::optional<operation_state> next() { return m_store.next(); }
    /// Goes on with an operation that `next` gave.
    [[nodiscard]] operation_reply run(operation_state state);

    [[nodiscard]] operation_state const& state() const noexcept { return m_state; }
    [[nodiscard]] std::string const& call_key() const noexcept { return m_call_key; }
    void renew();

private:
    using step = std::optional<operation_reply>; // empty: go on

    [[nodiscard]] step answer(operation_state const& state) const;
    [[nodiscard]] operation_reply go_on();
    [[nodiscard]] step run_phase(phase const& now, phase const* next);
    [[nodiscard]] step work(phase const& now, phase const* next);
    [[nodiscard]] step call(phase const& now, phase const& next);
    void note_call(phase const& now);
    void moved_to(phase const& next, nlohmann::json data, std::chrono::steady_clock::time_point sent);
    [[nodiscard]] step settle_doubt();
    [[nodiscard]] std::string give_back(std::string const& why, int max_attempts, bool call_made);
    [[nodiscard]] operation_reply not_ours() const;

    operation_plan const* m_plan;
    operation_store m_store;
    operation_state m_state;
    std::string m_call_key;
    bool m_call_begun = false;
};

/// The text of JSON to store.
/// @throws once::invalid_argument
[[nodiscard]] std::string to_stored_data(nlohmann::json const& data);

} // namespace once::detail
