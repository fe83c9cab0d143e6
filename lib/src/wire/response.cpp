// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/outcome.hpp>
#include <once/reply.hpp>
#include <once/response.hpp>

#include <nlohmann/json.hpp>

namespace once {

body body::from_json(nlohmann::json const& value) {
    try {
        return json_text(value.dump());
    } catch (nlohmann::json::type_error const&) {
        throw invalid_argument{"response.body", "a string in it is not UTF-8, so it cannot be JSON"};
    }
}

std::string_view to_string(outcome value) noexcept {
    switch (value) {
    case outcome::done:
        return "done";
    case outcome::replayed:
        return "replayed";
    case outcome::in_progress:
        return "in_progress";
    case outcome::key_reused:
        return "key_reused";
    case outcome::refused:
        return "refused";
    case outcome::lease_lost:
        return "lease_lost";
    case outcome::unknown:
        break;
    }
    return "unknown";
}

response const& reply::response() const& {
    if (!m_facts.response) {
        throw misuse{"once: there is no response: the outcome is " + std::string{to_string(m_facts.outcome)} +
                     (committed() ? ", and only the key was kept" : "")};
    }
    return *m_facts.response;
}

response reply::response() && {
    static_cast<void>(static_cast<reply const&>(*this).response());
    return std::move(*m_facts.response);
}

not_committed::not_committed(once::outcome outcome)
    : error{"once: it was not committed: the outcome is " + std::string{to_string(outcome)}},
      m_outcome{outcome} {}

void reply::expect_committed() const {
    if (!committed()) {
        throw not_committed{outcome()};
    }
}

} // namespace once
