// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "operation/operation_plan.hpp"

#include <once/error.hpp>
#include <once/request.hpp>

#include "text/check_range.hpp"
#include "text/key_text.hpp"

#include <utility>

namespace once {

std::string_view to_string(effect value) noexcept {
    switch (value) {
    case effect::idempotent_remote:
        return "idempotent_remote";
    case effect::at_most_once:
        return "at_most_once";
    case effect::in_database:
        break;
    }
    return "in_database";
}

phase idempotent_remote(std::string name, std::function<void(running_operation&)> call) {
    return {.name = std::move(name), .effect = effect::idempotent_remote, .call = std::move(call)};
}

phase at_most_once(std::string name, std::function<void(running_operation&)> call) {
    return {.name = std::move(name), .effect = effect::at_most_once, .call = std::move(call)};
}

namespace detail {

namespace {

void check_phases(std::vector<phase> const& phases) {
    if (phases.empty() || phases.size() > 100) {
        throw invalid_argument{"phases", "there must be 1 to 100 of them"};
    }
    for (std::size_t i = 0; i < phases.size(); ++i) {
        require_key_text(phases[i].name, "phase.name");
        bool const has_function =
            phases[i].effect == effect::in_database ? bool{phases[i].work} : bool{phases[i].call};
        if (!has_function) {
            throw invalid_argument{"phase", "it has no function to run"};
        }
        if (std::ranges::count(phases, phases[i].name, &phase::name) != 1) {
            throw invalid_argument{"phase.name", "two phases have the same one"};
        }
    }
    if (phases.back().effect != effect::in_database) {
        throw invalid_argument{"phases", "the last one must be in_database: it stores the response"};
    }
}

} // namespace

operation_plan::operation_plan(std::string name, std::vector<phase> phases, operation_options options)
    : m_name{std::move(name)}, m_phases{std::move(phases)}, m_options{std::move(options)} {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    require_key_text(m_name, "operation.name");
    check_phases(m_phases);
    check_range<milliseconds>(m_options.lease, 100ms, 24h, "operation_options.lease",
                              "100 milliseconds and 1 day");
    check_range<milliseconds>(m_options.retention, 1s, 366 * 24h, "operation_options.retention",
                              "1 second and 366 days");
    check_range<milliseconds>(m_options.wait, 0ms, 1h, "operation_options.wait", "0 and 1 hour");
    check_range(m_options.max_attempts, 1, 1000, "operation_options.max_attempts", "1 and 1000");
    check_range<milliseconds>(m_options.retry_after, 0ms, 24h, "operation_options.retry_after",
                              "0 and 1 day");
    check_range<milliseconds>(m_options.max_retry_after, m_options.retry_after, 24h,
                              "operation_options.max_retry_after", "retry_after and 1 day");
    check_range<std::size_t>(m_options.max_response_bytes, 0, std::size_t{256} * 1024 * 1024,
                             "operation_options.max_response_bytes", "0 and 256 MiB");
    validate(m_options.transaction);
}

std::optional<std::string> call_of(phase const& phase) {
    return phase.effect == effect::in_database ? std::nullopt
                                               : std::optional{std::string{to_string(phase.effect)}};
}

std::chrono::milliseconds pause_after(int attempt, operation_options const& options) noexcept {
    std::chrono::milliseconds pause = options.retry_after;
    for (int i = 1; i < attempt && pause < options.max_retry_after; ++i) {
        pause *= 2;
    }
    return std::min<std::chrono::milliseconds>(pause, options.max_retry_after);
}

std::string printable(std::string_view text) {
    std::string made{text.substr(0, 500)};
    for (char& c : made) {
        if (c == '\n' || c == '\t') {
            c = ' ';
        } else if (c < 0x20 || c > 0x7e) {
            c = '?';
        }
    }
    return made;
}

} // namespace detail

} // namespace once
