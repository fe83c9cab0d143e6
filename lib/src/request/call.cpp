// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "request/call.hpp"

#include <once/advise.hpp>
#include <once/error.hpp>

#include "judgement/retry.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/except>

#include <algorithm>
#include <thread>

namespace once::detail {

namespace {

std::chrono::milliseconds retry_after(call_options const& options) {
    using namespace std::chrono_literals;
    auto const base = std::max<std::chrono::milliseconds>(options.wait, 200ms);
    return base + std::chrono::milliseconds{static_cast<std::int64_t>(
                      random_bits() % static_cast<std::uint64_t>(base.count() + 1))};
}

// 23505 can be a lost race in disguise under these levels (PostgreSQL documentation, 13.5).
bool maybe_disguised_conflict(std::exception const& e, isolation level) {
    auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e);
    return sql != nullptr && level != isolation::read_committed &&
           std::string_view{sql->sqlstate()} == "23505";
}

class call_loop {
public:
    call_loop(call_context const& context, attempt_function const& attempt_once)
        : m_context{context}, m_attempt_once{attempt_once} {}

    reply run() {
        for (;;) {
            ++m_attempt;
            if (auto facts = try_once()) {
                facts->attempts = m_attempt;
                facts->was_in_doubt = m_context.in_doubt.stood();
                if (facts->outcome == outcome::in_progress) {
                    facts->retry_after = retry_after(m_context.record);
                }
                return reply{std::move(*facts)};
            }
        }
    }

private:
    std::optional<reply::facts> try_once() {
        m_session_ended = false;
        try {
            auto const taken = m_context.pool.take(m_context.deadline);
            auto facts = attempt(*taken);
            m_context.in_doubt.resolve();
            return facts;
        } catch (claim_wait_over const&) {
            if (!m_context.in_doubt.stands()) {
                return reply::facts{.outcome = outcome::in_progress};
            }
            // The holder may be the old server process of our own commit: ask on until the deadline.
            return again(setback::conflict, std::current_exception());
        } catch (fence_refused const&) {
            return reply::facts{.outcome = outcome::lease_lost};
        } catch (commit_in_doubt const& e) {
            m_context.in_doubt.raise();
            m_context.pool.log(e.what());
            if (m_context.request == nullptr) {
                return reply::facts{.outcome = outcome::unknown};
            }
            return again(setback::connection, std::current_exception());
        } catch (std::exception const& e) {
            return after(e, std::current_exception());
        }
    }

    reply::facts attempt(session& session) {
        try {
            return m_attempt_once(m_context, session, m_attempt);
        } catch (claim_wait_over const&) {
            look_at_holder(session);
            throw;
        } catch (...) {
            // What libpqxx throws keeps the SQLSTATE and not the severity. libpq has read on to the end of the session
            // by then, if the error ended it.
            m_session_ended = !session.open();
            session.settle(m_context.reply_deadline());
            throw;
        }
    }

    // The holder's client may have vanished in the middle of an exchange, where the server waits without a limit.
    void look_at_holder(session& session) noexcept {
        session.settle(m_context.reply_deadline());
        if (session.open()) {
            m_context.pool.end_half_open(session, m_context.idle_limit());
        }
    }

    std::optional<reply::facts> after(std::exception const& e, std::exception_ptr const& thrown) {
        bool const lost = dynamic_cast<pqxx::broken_connection const*>(&e) != nullptr;
        auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e);
        std::string_view const state =
            sql != nullptr ? std::string_view{sql->sqlstate()} : std::string_view{};
        if (dynamic_cast<session_is_shared const*>(&e) != nullptr) {
            m_context.pool.log(e.what());
            m_context.pool.stop_preparing();
            return again(setback::connection, thrown);
        }
        if (auto const* const refused = dynamic_cast<role_refused const*>(&e);
            refused != nullptr && !refused->in_own_role()) {
            return again(setback::conflict, thrown);
        }
        bool const callers_statement = !m_session_ended && (state == "26000" || state == "42P05");
        bool const ended = sql != nullptr && m_session_ended;
        if (lost || ended || (!callers_statement && advise_sqlstate(state) == advice::reconnect)) {
            m_context.pool.log(e.what());
            if (std::chrono::steady_clock::now() < m_context.deadline) {
                // Not when it was our own watchdog that cut the connection.
                m_context.pool.distrust_free_sessions();
            }
            return again(setback::connection, thrown);
        }
        if (state == "40001" || state == "40P01") {
            return again(setback::conflict, thrown);
        }
        if (maybe_disguised_conflict(e, m_context.options.isolation_level) &&
            !std::exchange(m_retried_unique, true)) {
            return again(setback::conflict, thrown);
        }
        return final_failure(thrown);
    }

    // Waits for the next attempt, unless there is no time or no attempt left.
    std::optional<reply::facts> again(setback why, std::exception_ptr const& thrown) {
        auto const now = std::chrono::steady_clock::now();
        if (now >= m_context.deadline) {
            if (m_context.in_doubt.stands()) {
                return reply::facts{.outcome = outcome::unknown};
            }
            // An attempt that the deadline cut off says no more than that; the one before it knows the reason.
            throw deadline_exceeded{"once: the deadline of " +
                                    std::to_string(m_context.options.deadline.count()) + " ms passed after " +
                                    std::to_string(m_attempt) +
                                    " attempt(s); nothing took effect. The last error: " +
                                    describe(m_last_error ? m_last_error : thrown)};
        }
        if (m_attempt >= m_context.options.max_attempts && !m_context.in_doubt.stands()) {
            return final_failure(thrown);
        }
        m_last_error = thrown;
        auto const pause = backoff(why, m_attempt, random_bits());
        std::this_thread::sleep_until(std::min(m_context.deadline, now + pause));
        return std::nullopt;
    }

    std::optional<reply::facts> final_failure(std::exception_ptr const& thrown) const {
        if (m_context.in_doubt.stands()) {
            m_context.pool.log("once: a commit in doubt could not be resolved: " + describe(thrown));
            return reply::facts{.outcome = outcome::unknown};
        }
        std::rethrow_exception(thrown);
    }

    static std::string describe(std::exception_ptr const& thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (std::exception const& e) {
            return e.what();
        } catch (claim_wait_over const&) {
            return "the key is still held";
        }
    }

    call_context const& m_context;
    attempt_function const& m_attempt_once;
    int m_attempt = 0;
    std::exception_ptr m_last_error;
    bool m_session_ended = false;
    bool m_retried_unique = false;
};

} // namespace

reply run_call(database& db, request const& request, redemption const* redeeming, call_options const& options,
               attempt_function const& attempt_once) {
    doubt in_doubt;
    auto const transaction = options.transaction();
    call_context const context{.pool = pool_of(db),
                               .request = &request,
                               .redeeming = redeeming,
                               .options = transaction,
                               .record = options,
                               .deadline = std::chrono::steady_clock::now() + options.deadline,
                               .digest = digest_of(request.fingerprint),
                               .in_doubt = in_doubt};
    return call_loop{context, attempt_once}.run();
}

reply run_call(database& db, transaction_options const& options, attempt_function const& attempt_once) {
    doubt in_doubt;
    call_context const context{.pool = pool_of(db),
                               .request = nullptr,
                               .redeeming = nullptr,
                               .options = options,
                               .record = no_record,
                               .deadline = std::chrono::steady_clock::now() + options.deadline,
                               .in_doubt = in_doubt};
    return call_loop{context, attempt_once}.run();
}

} // namespace once::detail
