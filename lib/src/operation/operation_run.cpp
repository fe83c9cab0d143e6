// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "operation/operation_run.hpp"

#include <once/error.hpp>
#include <once/execute.hpp>

#include "judgement/failure.hpp"
#include "text/text_rules.hpp"
#include "wire/validate_response.hpp"

#include <nlohmann/json.hpp>

#include <exception>
#include <limits>
#include <utility>

namespace once::detail {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t max_data_bytes = std::size_t{1024} * 1024;

} // namespace

std::string to_stored_data(nlohmann::json const& data) {
    std::string text;
    try {
        text = data.dump();
    } catch (nlohmann::json::exception const&) {
        throw invalid_argument{"operation.data", "a string in it is not UTF-8"};
    }
    if (text.size() > max_data_bytes) {
        throw invalid_argument{"operation.data", "it has " + std::to_string(text.size()) +
                                                     " bytes of JSON; 1 MiB is the limit"};
    }
    if (!is_storable_json(text)) {
        throw invalid_argument{"operation.data", "it is nested deeper than 512"};
    }
    return text;
}

operation_run::operation_run(database& db, operation_plan const& plan, std::string owner)
    : m_plan{&plan}, m_store{db, plan, std::move(owner)} {}

operation_reply operation_run::run(request const& request, std::string const& data) {
    auto const deadline = clock::now() + m_plan->options().transaction.deadline;
    auto state = m_store.begin(request, data);
    while (!state && clock::now() < deadline) { // the same owner: what was committed is given back to us
        state = m_store.begin(request, data);
    }
    if (!state) {
        return not_ours();
    }
    return run(std::move(*state));
}

operation_reply operation_run::run(operation_state state) {
    if (auto done = answer(state)) {
        return *done;
    }
    m_state = std::move(state);
    return go_on();
}

operation_run::step operation_run::answer(operation_state const& state) const {
    auto const& word = state.outcome;
    if (word == "started" || word == "resumed") {
        return std::nullopt;
    }
    if (word == "replayed") {
        return operation_reply{.outcome = operation_outcome::replayed, .response = state.response};
    }
    if (word == "key_reused") {
        return operation_reply{.outcome = operation_outcome::key_reused};
    }
    if (word == "unknown_effect") {
        return operation_reply{.outcome = operation_outcome::unknown_effect, .phase = state.recovery_point};
    }
    if (word == "failed") {
        return operation_reply{.outcome = operation_outcome::failed, .phase = state.recovery_point};
    }
    auto const pause = state.retry_after.count() > 0 ? state.retry_after : m_plan->options().retry_after;
    return operation_reply{
        .outcome = operation_outcome::in_progress, .phase = state.recovery_point, .retry_after = pause};
}

operation_reply operation_run::not_ours() const {
    return {.outcome = operation_outcome::in_progress, .retry_after = m_plan->options().lease};
}

operation_reply operation_run::go_on() {
    for (;;) {
        auto const place = m_plan->find(m_state.recovery_point);
        if (!place) {
            std::ignore = give_back("the process that took it over does not know this phase", 1, false);
            return {.outcome = operation_outcome::failed, .phase = m_state.recovery_point};
        }
        auto const& phases = m_plan->phases();
        if (auto done =
                run_phase(phases[*place], *place + 1 < phases.size() ? &phases[*place + 1] : nullptr)) {
            return *done;
        }
    }
}

operation_run::step operation_run::run_phase(phase const& now, phase const* next) {
    m_call_begun = false;
    std::string why;
    bool call_made = false;
    int most = m_plan->options().max_attempts;
    std::exception_ptr thrown;
    try {
        return now.effect == effect::in_database ? work(now, next) : call(now, *next);
    } catch (ownership_lost const&) {
        return not_ours();
    } catch (call_not_made const& e) {
        why = e.what();
        thrown = std::current_exception();
    } catch (std::exception const& e) {
        why = e.what();
        call_made = m_call_begun;
        if (now.effect == effect::in_database && judge_failure(e, during::message) == fault::database) {
            most =
                std::numeric_limits<int>::max(); // the operation cannot help it, so it does not end as failed
        }
        thrown = std::current_exception();
    } catch (...) {
        why = "an exception that is no std::exception";
        call_made = m_call_begun;
        thrown = std::current_exception();
    }
    std::string state;
    try {
        state = give_back(why, most, call_made);
    } catch (std::exception const&) {
        // The lease ends by itself; what happened in the phase matters more to the caller.
        std::rethrow_exception(thrown);
    }
    if (state == "unknown_effect") {
        return operation_reply{.outcome = operation_outcome::unknown_effect, .phase = now.name};
    }
    if (state == "failed") {
        return operation_reply{.outcome = operation_outcome::failed, .phase = now.name};
    }
    std::rethrow_exception(thrown);
}

operation_run::step operation_run::work(phase const& now, phase const* next) {
    auto const sent = clock::now();
    std::optional<response> made;
    nlohmann::json data;
    bool const committed = m_store.commit(
        [&](transaction& tx) {
            data = m_state.data; // anew for each run: what a rolled back one left is dropped
            running_operation op{*this, data};
            made = now.work(tx, op);
            auto const text = to_stored_data(data);
            if (made) {
                validate(*made, m_plan->options().max_response_bytes);
                return m_store.finish(m_state, text, *made);
            }
            if (next == nullptr) {
                throw misuse{"once: the last phase of an operation returned no response"};
            }
            return m_store.advance(m_state, next->name, call_of(*next), text);
        },
        m_plan->options().transaction);
    if (!committed) {
        return settle_doubt();
    }
    if (made) {
        return operation_reply{.outcome = operation_outcome::done, .response = std::move(made)};
    }
    moved_to(*next, std::move(data), sent);
    return std::nullopt;
}

operation_run::step operation_run::call(phase const& now, phase const& next) {
    if (now.effect == effect::at_most_once) {
        note_call(now);
    }
    if (clock::now() >= m_state.owned_until) {
        renew();
    }
    auto const known = m_state.call_keys.find(now.name);
    m_call_key =
        known != m_state.call_keys.end() ? known->get<std::string>() : m_store.call_key(m_state, now.name);

    nlohmann::json data = m_state.data;
    running_operation op{*this, data};
    m_call_begun = true;
    now.call(op);
    auto const text = to_stored_data(data);
    for (;;) {
        auto const sent = clock::now();
        if (m_store.commit(m_store.advance(m_state, next.name, call_of(next), text))) {
            moved_to(next, std::move(data), sent);
            return std::nullopt;
        }
        // The call was made: only what it returned is to be stored again.
        if (auto done = settle_doubt()) {
            return done;
        }
        if (m_state.recovery_point != now.name) {
            return std::nullopt;
        }
    }
}

void operation_run::note_call(phase const& now) {
    auto const wanted = call_of(now);
    while (m_state.call != wanted) {
        auto const sent = clock::now();
        if (m_store.commit(m_store.advance(m_state, now.name, wanted, to_stored_data(m_state.data)))) {
            m_state.call = wanted;
            m_state.owned_until = sent + m_plan->options().lease;
        } else if (settle_doubt()) {
            throw ownership_lost{"once: another process has finished this operation"};
        }
    }
}

void operation_run::moved_to(phase const& next, nlohmann::json data, clock::time_point sent) {
    m_state.recovery_point = next.name;
    m_state.call = call_of(next);
    m_state.attempt = 1;
    m_state.data = std::move(data);
    m_state.owned_until = sent + m_plan->options().lease;
}

void operation_run::renew() {
    auto const sent = clock::now();
    if (!m_store.commit(m_store.renew(m_state)) && settle_doubt()) {
        throw ownership_lost{"once: another process has finished this operation"};
    }
    m_state.owned_until = std::max(m_state.owned_until, sent + m_plan->options().lease);
}

operation_run::step operation_run::settle_doubt() {
    auto const deadline = clock::now() + m_plan->options().transaction.deadline;
    do {
        if (auto state = m_store.retake(m_state.scope, m_state.key)) {
            if (state->outcome ==
                "replayed") { // only this owner can have finished it, or it would not be told
                return operation_reply{.outcome = operation_outcome::done, .response = state->response};
            }
            if (auto done = answer(*state)) {
                return done;
            }
            m_state = std::move(*state);
            return std::nullopt;
        }
    } while (clock::now() < deadline);
    throw error{
        "once: the answer to COMMIT of phase " + m_state.recovery_point +
        " was lost and could not be found out before the deadline; the operation goes on where it stands"};
}

std::string operation_run::give_back(std::string const& why, int max_attempts, bool call_made) {
    return m_store.release(m_state, printable(why), pause_after(m_state.attempt, m_plan->options()),
                           max_attempts, call_made);
}

} // namespace once::detail

namespace once {

std::string const& running_operation::scope() const noexcept {
    return m_run.state().scope;
}

std::string const& running_operation::key() const noexcept {
    return m_run.state().key;
}

std::string const& running_operation::call_key() const noexcept {
    return m_run.call_key();
}

int running_operation::attempt() const noexcept {
    return m_run.state().attempt;
}

std::chrono::steady_clock::time_point running_operation::owned_until() const noexcept {
    return m_run.state().owned_until;
}

void running_operation::renew() {
    m_run.renew();
}

} // namespace once
