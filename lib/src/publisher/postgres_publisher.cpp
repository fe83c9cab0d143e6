// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/postgres_publisher.hpp>

#include "connection/connection_pool.hpp"
#include "message/binary_array.hpp"
#include "publisher/key_order.hpp"
#include "publisher/sqlstate_verdict.hpp"
#include "request/check_range.hpp"
#include "request/key_text.hpp"
#include "request/sha256.hpp"
#include "request/stored_body.hpp"
#include "sql/claim_statements.hpp"
#include "sql/postgres_publisher_statements.hpp"
#include "sql/session_statements.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <algorithm>
#include <array>
#include <cctype>
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
};

} // namespace detail

namespace {

using detail::postgres_publisher_state;
using time_point = std::chrono::steady_clock::time_point;

bool begins_with_word(std::string_view text, std::string_view word) {
    return text.size() > word.size() &&
           std::ranges::equal(text.substr(0, word.size()), word,
                              [](unsigned char a, char b) { return std::tolower(a) == b; }) &&
           std::isspace(static_cast<unsigned char>(text[word.size()])) != 0;
}

std::string_view trimmed(std::string_view text) {
    auto const start = text.find_first_not_of(" \t\r\n");
    return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

std::string statement_text(std::string const& given) {
    auto sql = trimmed(given);
    bool const with = begins_with_word(sql, "with");
    sql = with ? trimmed(sql.substr(4)) : sql;
    bool const recursive = with && begins_with_word(sql, "recursive");
    sql = recursive ? trimmed(sql.substr(9)) : sql;
    return sql::with_message(sql, with, recursive);
}

postgres_publisher_options checked(postgres_publisher_options options) {
    using namespace std::chrono_literals;
    detail::require_key_text(options.consumer, "postgres_publisher_options.consumer");
    if (trimmed(options.sql).empty() || options.sql.find('\0') != std::string::npos) {
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

/// Names what failed without the server's message, which may quote data.
std::string describe(detail::pg_result const& failed) {
    auto text = "SQLSTATE " + std::string{failed.sqlstate()};
    for (auto const& [name, code] :
         {std::pair{"constraint", PG_DIAG_CONSTRAINT_NAME}, std::pair{"table", PG_DIAG_TABLE_NAME},
          std::pair{"column", PG_DIAG_COLUMN_NAME}}) {
        if (auto const field = failed.field(code); !field.empty()) {
            text += std::string{", "} + name + ' ' + std::string{field};
        }
    }
    return text;
}

/// SHA-256 of what makes two messages the same; each part has its length in front. Not of times and traces: what is staged
/// again under an id that its sender has forgotten has others.
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
                 begin < m_messages.size() && std::chrono::steady_clock::now() < m_deadline;) {
                begin = step(begin);
            }
        } catch (target_unavailable const& e) {
            m_report.unavailable = e.why;
        } catch (pqxx::broken_connection const&) {
            m_state.pool.distrust_free_sessions();
            m_report.unavailable =
                "no connection to the database, or it was lost"; // its own text may name hosts
        }
        return std::move(m_report);
    }

private:
    /// One transaction for what is open from `begin` on.
    /// @return where the next one begins; `begin` itself when this one did not commit
    std::size_t step(std::size_t begin) {
        auto const end = m_range_end > begin ? m_range_end : m_one_by_one ? begin + 1 : m_messages.size();
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
            m_report.answers[place].result = publish_result::accepted;
        }
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
        auto const lease = m_state.pool.take(m_deadline);
        auto& session = *lease;
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
        session.exchange(sent, m_deadline, answers);
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
        auto const left = milliseconds_until(m_deadline);
        detail::binary_array ids{detail::element_type::uuid};
        detail::binary_array fingerprints{detail::element_type::bytea};
        detail::binary_array times{detail::element_type::timestamptz};
        for (auto const place : places) {
            auto const& bytes = m_messages[place].id.bytes();
            ids.add({reinterpret_cast<char const*>(bytes.data()), bytes.size()});
            auto const fingerprint = fingerprint_of(m_messages[place]);
            fingerprints.add({reinterpret_cast<char const*>(fingerprint.data()), fingerprint.size()});
            times.add_int8((m_messages[place].published_at - postgres_epoch).count());
        }
        statement const begin{sql::claim_statements::begin(isolation::read_committed), {}};
        // A bit before the deadline, so that the server says which statement took too long.
        statement const settings{std::string{sql::receiving_settings},
                                 parameters{std::max<std::int64_t>(left * 9 / 10, 1)}};
        statement take{m_state.receive, parameters{m_state.options.consumer, ids.finish(),
                                                   fingerprints.finish(), times.finish()}};
        take.parameters.add(m_state.options.retention.count()).add(left / 2);
        std::vector<statement const*> const sent{&begin, &settings, &take};
        std::vector<detail::pg_result> answers;
        session.exchange(sent, m_deadline, answers);
        for (auto const& answer : answers) {
            if (answer.failed()) {
                inbox_failed(answer);
                return std::nullopt;
            }
        }
        return read_outcomes(answers.back(), places);
    }

    /// The inbox there notes that an id came with other content, in a transaction of its own: that of the batch was given up.
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
        } else if (detail::judge_sqlstate(failed.sqlstate()) != detail::sqlstate_verdict::again) {
            throw target_unavailable{describe(failed) + ", while taking messages into the inbox"};
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
        auto const verdict = detail::judge_sqlstate(failed.sqlstate());
        if (verdict == detail::sqlstate_verdict::again) {
            return conflict();
        }
        if (verdict == detail::sqlstate_verdict::unavailable) {
            throw target_unavailable{describe(failed)};
        }
        if (!place && places.size() > 1) { // a deferred constraint: find out whose
            m_one_by_one = true;
            m_range_end = 0;
            return;
        }
        auto const culprit = place.value_or(places.front());
        fail(culprit,
             verdict == detail::sqlstate_verdict::reject ? publish_result::rejected : publish_result::retry,
             describe(failed));
        m_range_end = culprit + 1; // first what came before it, which is known to work
    }

    static constexpr std::chrono::sys_time<std::chrono::microseconds> postgres_epoch =
        std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};

    postgres_publisher_state& m_state;
    std::span<delivery const> m_messages;
    time_point m_deadline;
    publish_report m_report;
    std::vector<bool> m_settled;
    // The first message of a key that failed.
    std::unordered_map<std::string_view, std::size_t> m_failed_at;
    std::size_t m_range_end;
    // Not noted yet.
    std::vector<std::size_t> m_altered;
    bool m_one_by_one = false;
    int m_conflicts = 0;
};

} // namespace

struct postgres_publisher::state : postgres_publisher_state {};

postgres_publisher::postgres_publisher(database& target, postgres_publisher_options options) {
    auto const checked_options = checked(std::move(options));
    m_state =
        std::make_unique<state>(state{{target.pool(), checked_options, sql::receive_messages(target.schema()),
                                       statement_text(checked_options.sql)}});
}

postgres_publisher::~postgres_publisher() = default;

publish_report postgres_publisher::publish(std::span<delivery const> messages, time_point deadline) {
    return transfer{*m_state, messages, deadline}.run();
}

} // namespace once
