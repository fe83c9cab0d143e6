// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one call of publish() is one protocol over one state, and reads best in one place.
#include <once/error.hpp>
#include <once/postgres_publisher.hpp>

#include "database/connection_pool.hpp"
#include "judgement/call_size.hpp"
#include "judgement/failure.hpp"
#include "publishers/key_order.hpp"
#include "publishers/statement_text.hpp"
#include "publishers/target_errors.hpp"
#include "sql/postgres_publisher_statements.hpp"
#include "sql/session_statements.hpp"
#include "text/check_range.hpp"
#include "text/key_text.hpp"
#include "text/sha256.hpp"
#include "wire/binary_array.hpp"
#include "wire/pg_time.hpp"
#include "wire/stored_body.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>

namespace once {

namespace detail {

// Not in the namespace without a name: a class that the header declares is made of it.
struct postgres_publisher_state {
    connection_pool& pool;
    postgres_publisher_options options;
    std::string receive;
    std::string sql;
    // Messages of one transaction. The first ones are few: nobody knows yet how long one takes there.
    call_size step{100'000, 64};
    // What one of them took in the last transaction that was committed.
    std::chrono::steady_clock::duration per_message{1};
    // Why the server refuses the statement itself, once that was asked.
    std::optional<std::string> refusal{};
};

} // namespace detail

namespace {

using detail::postgres_publisher_state;
using time_point = std::chrono::steady_clock::time_point;

postgres_publisher_options checked(postgres_publisher_options options) {
    using namespace std::chrono_literals;
    detail::require_key_text(options.consumer, "postgres_publisher_options.consumer");
    if (detail::read_statement(options.sql).sql.empty() || options.sql.find('\0') != std::string::npos) {
        throw invalid_argument{"postgres_publisher_options.sql", "it is empty or contains a NUL"};
    }
    detail::check_range<std::chrono::milliseconds>(
        options.retention, 1s, 3660 * 24h, "postgres_publisher_options.retention", "1 second and 3660 days");
    return options;
}

std::optional<std::string> or_null(std::string const& text) {
    return text.empty() ? std::nullopt : std::optional{text};
}

std::int64_t milliseconds_until(time_point deadline) {
    auto const left =
        std::chrono::floor<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max<std::int64_t>(left.count(), 1);
}

/// SHA-256 of what makes two messages the same; each part has its length in front. Not of times and traces: what is
/// staged again under an id that its sender has forgotten has others.
std::array<std::uint8_t, 32> fingerprint_of(delivery const& message) {
    std::string text;
    for (auto const& part : {message.service, message.topic, message.key, message.payload.content_type(),
                             detail::to_stored_headers(message.headers)}) {
        text.append(std::to_string(part.size())).append(1, ':').append(part);
    }
    return detail::sha256(text.append(message.payload.data()));
}

/// Nobody can take anything at present.
struct target_unavailable {
    std::string why;
};

/// One call of publish().
class transfer {
public:
    transfer(postgres_publisher_state& state, std::span<delivery const> messages, time_point deadline)
        : m_state{state},
          m_messages{messages},
          m_deadline{deadline},
          m_settled(messages.size(), false),
          m_range_end{messages.size()} {
        m_report.answers.assign(messages.size(), {.result = publish_result::not_sent});
    }

    publish_report run() {
        try {
            for (std::size_t begin = 0;
                 begin < m_messages.size() && !m_gave_up && std::chrono::steady_clock::now() < m_deadline;) {
                begin = timed_step(begin);
            }
        } catch (target_unavailable const& e) {
            m_report.unavailable = e.why;
        } catch (pqxx::broken_connection const&) {
            m_state.pool.distrust_free_sessions();
            m_report.unavailable =
                "no connection to the database, or it was lost"; // its own text may name hosts
        }
        if (m_accepted == 0 && m_target_errors > 0 && !m_report.unavailable) {
            m_report.unavailable = m_target_error + why_the_statement_is_refused();
        }
        return std::move(m_report);
    }

private:
    /// A step, in its own share of the time where several messages could be too much for it.
    std::size_t timed_step(std::size_t begin) {
        auto const start = std::chrono::steady_clock::now();
        auto const share = (m_deadline - start) / 2;
        if (begin > 0 && share < m_budget / 16) {
            m_gave_up = true; // too little is left to learn anything from it
            return begin;
        }
        auto const fits = static_cast<std::size_t>(share * 3 / 4 / m_state.per_message);
        auto const tried =
            std::min({m_state.step.now(), m_messages.size() - begin, std::max<std::size_t>(fits, 1)});
        m_connected = false;
        m_step_deadline = tried > 1 ? start + share : m_deadline;
        try {
            auto const next = step(begin, begin + tried);
            auto const took = std::chrono::steady_clock::now() - start;
            if (next > begin) {
                m_state.per_message = std::max(took / static_cast<int>(next - begin), decltype(took){1});
            }
            if (took < share / 4) {
                m_state.step.fitted(next - begin);
            }
            return next;
        } catch (pqxx::broken_connection const&) {
            if (tried == 1 || !m_connected || std::chrono::steady_clock::now() < m_step_deadline) {
                throw;
            }
            m_state.step.was_too_much(tried, 0);
            auto const why = detail::too_slow(tried, m_step_deadline - start, m_state.step.now());
            for (auto i = begin; i < begin + tried; ++i) {
                m_report.answers[i].error = m_settled[i] ? m_report.answers[i].error : why;
            }
            return begin;
        }
    }

    /// One transaction for what is open from `begin` on, up to `most_end`.
    /// @return where the next one begins; `begin` itself when this one did not commit
    std::size_t step(std::size_t begin, std::size_t most_end) {
        auto const wanted = m_range_end > begin ? m_range_end : m_one_by_one ? begin + 1 : m_messages.size();
        auto const end = std::min(wanted, most_end);
        std::vector<std::size_t> places;
        std::vector<statement> statements;
        for (auto i = begin; i < end; ++i) {
            if (!m_settled[i] && is_behind(i)) {
                m_report.answers[i] = detail::behind_its_key();
                m_settled[i] = true;
            }
            if (m_settled[i]) {
                continue;
            }
            try {
                statements.push_back(statement_for(m_messages[i]));
                places.push_back(i);
            } catch (invalid_argument const& e) {
                fail(i, publish_result::rejected, e.what());
            }
        }
        if (!places.empty() && !commit(places, statements)) {
            return begin;
        }
        for (auto const place : places) {
            m_report.answers[place] = {};
        }
        m_accepted += places.size();
        return end;
    }

    [[nodiscard]] statement statement_for(delivery const& message) const {
        parameters values{message.id.to_string()};
        values.add(message.given_id ? std::optional{message.given_id->to_string()} : std::nullopt);
        values.add(message.topic).add(or_null(message.key));
        auto const& payload = message.payload;
        values.add(detail::is_stored_as_json(payload) ? std::optional{payload.data()} : std::nullopt);
        values.add(std::as_bytes(std::span{payload.data()}));
        values.add(or_null(payload.content_type()));
        try {
            values.add(detail::to_stored_headers(message.headers));
        } catch (nlohmann::json::exception const&) {
            throw invalid_argument{"delivery.headers", "a text in them is not UTF-8"};
        }
        values.add(or_null(message.traceparent)).add(message.service);
        values.add(message.published_at.time_since_epoch().count());
        return {m_state.sql, std::move(values)};
    }

    void fail(std::size_t place, publish_result result, std::string error) {
        m_report.answers[place] = {.result = result, .error = std::move(error)};
        m_settled[place] = true;
        auto const& key = m_messages[place].key;
        if (!key.empty()) {
            auto& first = m_failed_at.emplace(key, place).first->second;
            first = std::min(first, place);
        }
    }

    /// Whether an earlier message of its key has failed. Those before that one are still to be committed.
    [[nodiscard]] bool is_behind(std::size_t place) const {
        auto const found = m_failed_at.find(m_messages[place].key);
        return found != m_failed_at.end() && found->second < place;
    }

    /// @return false: nothing was committed, and something was learnt: run the step again
    bool commit(std::vector<std::size_t> const& places, std::vector<statement> const& statements) {
        auto const taken = m_state.pool.take(m_deadline);
        auto& session = *taken;
        m_connected = true;
        auto const now = std::chrono::steady_clock::now();
        m_step_deadline =
            std::max(m_step_deadline, now + (m_deadline - now) / 2); // to connect is no part of it
        auto const fresh = receive(session, places);
        if (!fresh) {
            session.settle(m_deadline);
            keep_alarm(session);
            return false;
        }
        statement const commit{sql::commit, {}};
        std::vector<statement const*> sent;
        for (auto const i : *fresh) {
            sent.push_back(&statements[i]);
        }
        sent.push_back(&commit);
        std::vector<detail::pg_result> answers;
        session.exchange(sent, m_step_deadline, answers);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i].failed()) {
                session.settle(m_deadline);
                statement_failed(answers[i],
                                 i < fresh->size() ? std::optional{places[(*fresh)[i]]} : std::nullopt,
                                 places);
                return false;
            }
        }
        if (answers.back().command_tag() != "COMMIT") {
            throw target_unavailable{"the statement ended the transaction by itself"};
        }
        return true;
    }

    /// Begins, and takes the messages into the inbox.
    /// @return which of them are new; nothing when the transaction must not be committed
    std::optional<std::vector<std::size_t>> receive(detail::session& session,
                                                    std::vector<std::size_t> const& places) {
        auto const left = milliseconds_until(m_step_deadline);
        detail::binary_array ids{detail::element_type::uuid};
        detail::binary_array fingerprints{detail::element_type::bytea};
        detail::binary_array times{detail::element_type::timestamptz};
        for (auto const place : places) {
            ids.add(m_messages[place].id);
            auto const fingerprint = fingerprint_of(m_messages[place]);
            fingerprints.add({reinterpret_cast<char const*>(fingerprint.data()), fingerprint.size()});
            times.add_int8(detail::to_pg_time(m_messages[place].published_at));
        }
        statement const begin{sql::begin(isolation::read_committed), {}};
        // A bit before the deadline, so that the server says which statement took too long.
        statement const settings{std::string{sql::receiving_settings},
                                 parameters{std::max<std::int64_t>(left * 9 / 10, 1)}};
        statement take{m_state.receive, parameters{m_state.options.consumer, ids.finish(),
                                                   fingerprints.finish(), times.finish()}};
        take.parameters.add(m_state.options.retention.count()).add(left / 2);
        std::vector<statement const*> const sent{&begin, &settings, &take};
        std::vector<detail::pg_result> answers;
        session.exchange(sent, m_step_deadline, answers);
        for (auto const& answer : answers) {
            if (answer.failed()) {
                inbox_failed(answer);
                return std::nullopt;
            }
        }
        return read_outcomes(answers.back(), places);
    }

    /// The inbox there notes that an id came with other content, in a transaction of its own: that of the batch was
    /// given up.
    void keep_alarm(detail::session& session) {
        auto const altered = std::exchange(m_altered, {});
        if (!altered.empty()) {
            static_cast<void>(receive(session, altered));
            session.ask({sql::commit, {}}, m_deadline);
            m_altered.clear();
        }
    }

    std::optional<std::vector<std::size_t>> read_outcomes(detail::pg_result const& rows,
                                                          std::vector<std::size_t> const& places) {
        std::vector<std::size_t> fresh;
        bool refused = false;
        for (std::size_t i = 0; i < places.size(); ++i) {
            auto const outcome = rows.bytes(0, static_cast<int>(i));
            if (outcome == "fresh") {
                fresh.push_back(i);
            } else if (outcome != "seen") {
                fail(places[i], publish_result::rejected,
                     outcome == "too_old"
                         ? "it is older than the inbox remembers, so nobody can tell whether it took effect"
                         : "its id took effect there with other content");
                if (outcome == "altered") {
                    m_altered.push_back(places[i]);
                }
                refused = true;
            }
        }
        return refused ? std::nullopt : std::optional{std::move(fresh)};
    }

    void inbox_failed(detail::pg_result const& failed) {
        if (failed.sqlstate() == "26000" || failed.sqlstate() == "42P05") {
            m_state.pool.stop_preparing();
        } else if (detail::judge_sqlstate(failed.sqlstate(), detail::during::own_statement) !=
                   detail::fault::conflict) {
            throw target_unavailable{detail::describe(failed) + ", while taking messages into the inbox"};
        }
        conflict();
    }

    void conflict() {
        constexpr int most = 10;
        if (++m_conflicts > most) {
            throw target_unavailable{"other transactions were in the way again and again"};
        }
    }

    /// @param place of the message whose statement it was; nothing: it was COMMIT
    void statement_failed(detail::pg_result const& failed, std::optional<std::size_t> place,
                          std::vector<std::size_t> const& places) {
        std::string const sqlstate{failed.sqlstate()};
        auto const verdict =
            detail::judge_sqlstate(sqlstate, place ? detail::during::message : detail::during::commit);
        if (verdict == detail::fault::conflict) {
            return conflict();
        }
        if (!place && verdict != detail::fault::message) {
            throw target_unavailable{detail::describe(failed) + ", at COMMIT"};
        }
        if (!place && places.size() > 1) { // a deferred constraint: find out whose
            m_one_by_one = true;
            m_range_end = 0;
            return;
        }
        auto const culprit = place.value_or(places.front());
        auto error = detail::describe(failed);
        // A trigger may raise any of these for one row, but mostly they speak of the target, or of the statement.
        if (verdict != detail::fault::message || detail::may_be_set_up(sqlstate)) {
            note_target_error(error);
        }
        fail(culprit, sqlstate.starts_with("22") ? publish_result::rejected : publish_result::retry,
             std::move(error));
        m_range_end = culprit + 1; // first what came before it, which is known to work
    }

    void note_target_error(std::string const& error) {
        constexpr int enough = 3;
        m_target_error = error;
        m_gave_up = ++m_target_errors >= enough && m_accepted == 0;
    }

    /// Asked once, and only after it has failed.
    [[nodiscard]] std::string why_the_statement_is_refused() const {
        if (!m_state.refusal) {
            try {
                m_state.refusal = detail::refusal_of(m_state.pool, m_state.sql, m_deadline).value_or("");
            } catch (std::exception const&) {
                return ""; // it cannot be asked now
            }
        }
        return m_state.refusal->empty() ? "" : ": " + *m_state.refusal;
    }

    postgres_publisher_state& m_state;
    std::span<delivery const> m_messages;
    time_point m_deadline;
    std::chrono::steady_clock::duration m_budget = m_deadline - std::chrono::steady_clock::now();
    time_point m_step_deadline{};
    publish_report m_report;
    std::vector<bool> m_settled;
    // The first message of a key that failed.
    std::unordered_map<std::string_view, std::size_t> m_failed_at;
    std::size_t m_range_end;
    // Not noted yet.
    std::vector<std::size_t> m_altered;
    bool m_one_by_one = false;
    int m_conflicts = 0;
    std::size_t m_accepted = 0;
    // Failures that speak of the target rather than of a message, and the last one.
    int m_target_errors = 0;
    std::string m_target_error;
    bool m_gave_up = false;
    bool m_connected = false;
};

} // namespace

struct postgres_publisher::state : postgres_publisher_state {};

postgres_publisher::postgres_publisher(database& target, postgres_publisher_options options) {
    auto const checked_options = checked(std::move(options));
    auto const given = detail::read_statement(checked_options.sql);
    m_state = std::make_unique<state>(
        state{{detail::pool_of(target), checked_options, sql::receive_messages(target.schema()),
               sql::with_message(given.sql, given.with, given.recursive)}});
}

void postgres_publisher::check() {
    using namespace std::chrono_literals;
    auto const deadline = std::chrono::steady_clock::now() + 10s;
    m_state->refusal = detail::refusal_of(m_state->pool, m_state->sql, deadline).value_or("");
    if (!m_state->refusal->empty()) {
        throw configuration_error{"once: the target database refuses the statement: " + *m_state->refusal};
    }
}

postgres_publisher::~postgres_publisher() = default;

publish_report postgres_publisher::publish(std::span<delivery const> messages, time_point deadline) {
    return transfer{*m_state, messages, deadline}.run();
}

} // namespace once
