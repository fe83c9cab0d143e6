// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

/// Everything that the clients told, and how often what happened.
class tally {
public:
    void take(std::string const& process, nlohmann::json const& event);

    /// Calls of one action (order, note, vote) with one result (sent, done, replayed, ...).
    [[nodiscard]] int count(std::string_view action, std::string_view what) const;
    /// The same over all actions.
    [[nodiscard]] int count(std::string_view what) const;

    /// Definite answers, as rows for heard.answer.
    [[nodiscard]] nlohmann::json const& answers() const noexcept { return m_answers; }
    /// Votes that were acknowledged, as rows for heard.vote.
    [[nodiscard]] nlohmann::json const& votes() const noexcept { return m_votes; }
    /// What a client should never have to say.
    [[nodiscard]] std::vector<std::string> const& broken() const noexcept { return m_broken; }

private:
    void add(std::string const& action, std::string const& what) { ++m_counts[action][what]; }
    void take_answer(std::string const& process, std::string const& action, nlohmann::json const& event);

    std::map<std::string, std::map<std::string, int, std::less<>>, std::less<>> m_counts;
    nlohmann::json m_answers = nlohmann::json::array();
    nlohmann::json m_votes = nlohmann::json::array();
    std::vector<std::string> m_broken;
};

} // namespace demo
