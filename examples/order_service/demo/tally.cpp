// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "tally.hpp"

#include <nlohmann/json.hpp>

namespace demo {

void tally::take(std::string const& process, nlohmann::json const& event) {
    auto const kind = event.at("event").get<std::string>();
    if (kind == "sent") {
        add(event.at("action"), "sent");
    } else if (kind == "answer") {
        take_answer(process, event.at("action"), event);
    } else if (kind == "broken") {
        m_broken.push_back(process + ": " + event.at("what").get<std::string>());
    }
}

void tally::take_answer(std::string const& process, std::string const& action, nlohmann::json const& event) {
    auto const outcome = event.at("outcome").get<std::string>();
    add(action, "answered");
    add(action, outcome);
    if (outcome == "failed") {
        return;
    }
    bool const in_doubt = event.at("in_doubt");
    if (in_doubt && action != "vote") {
        add(action, "in doubt");
        add(action, outcome == "replayed" ? "in doubt, committed"
                    : outcome == "done"   ? "in doubt, not committed"
                                          : "in doubt, " + outcome);
    }
    if (outcome == "unknown" || outcome == "in_progress") {
        return;
    }
    if (action == "vote") {
        m_votes.push_back({{"process", process}, {"poll", event.at("scope")}, {"voter", event.at("key")}});
        return;
    }
    if (outcome == "done" && event.at("committed")) {
        add(action, "took effect");
    }
    if (event.value("status", 0) == 409) {
        add(action, "stale");
    }
    nlohmann::json row{{"process", process}};
    for (char const* const field :
         {"action", "variant", "outcome", "scope", "key", "in_doubt", "status", "headers", "body"}) {
        if (event.contains(field)) {
            row[field] = event[field];
        }
    }
    m_answers.push_back(std::move(row));
}

int tally::count(std::string_view action, std::string_view what) const {
    auto const found = m_counts.find(action);
    if (found == m_counts.end()) {
        return 0;
    }
    auto const number = found->second.find(what);
    return number == found->second.end() ? 0 : number->second;
}

int tally::count(std::string_view what) const {
    int all = 0;
    for (auto const& [action, counts] : m_counts) {
        all += count(action, what);
    }
    return all;
}

} // namespace demo
