// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/batch_reader.hpp"

#include "sql/lease_statements.hpp"
#include "sql/outbox_statements.hpp"
#include "text/text_rules.hpp"

#include <pqxx/except>

#include <algorithm>
#include <utility>

namespace once::detail {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// How often a busy reader looks for messages whose time has come.
constexpr milliseconds look_for_due_every = 40ms;
constexpr int most_released = 1000;
// However little memory there is, a batch brings at least so much.
constexpr std::size_t least_bytes = 65'536;

// Messages stream as long as the next ones come within so many times reader_options::gather. A reader that sleeps
// has to say so and is woken by its writers, which costs as much as several looks that find nothing.
constexpr int gatherings_in_a_stream = 4;
// So many in a batch, and writers are busy: for a while after that it does not go to sleep, or all of them at once
// would have to wake it.
constexpr std::size_t trickle = 3;
constexpr milliseconds busy_time = 3ms;

std::chrono::steady_clock::time_point in_milliseconds(pg_result const& answer, int column) {
    return answer.is_null(column) ? std::chrono::steady_clock::time_point::max()
                                  : std::chrono::steady_clock::now() +
                                        milliseconds{std::min<std::int64_t>(answer.int8(column), 86'400'000)};
}

std::size_t bytes_of_payloads(std::vector<delivery> const& messages) {
    std::size_t bytes = 0;
    for (auto const& one : messages) {
        bytes += one.payload.data().size();
    }
    return bytes;
}

} // namespace

bool taken_by_another(std::exception const& e) noexcept {
    auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e);
    auto const state = sql != nullptr ? std::string_view{sql->sqlstate()} : std::string_view{};
    return state == "ON065" || state == "ON069" || state == "ON010";
}

batch_reader::batch_reader(database& db, std::string subscription, reader_options const& options,
                           milliseconds needed)
    : m_options{options},
      m_subscription{std::move(subscription)},
      m_session{db, options.reply_timeout},
      m_texts{pool_of(db).texts<sql::outbox_statements>()},
      m_lease_texts{pool_of(db).texts<sql::lease_statements>()},
      m_lease{m_subscription, options.slice, options.lease, needed},
      m_bytes{options.batch_bytes},
      m_parked_limit{options.batch_messages},
      m_listen{options.listen} {}

std::vector<pg_result> batch_reader::exchange(pipeline const& pipeline) {
    try {
        return m_session.exchange(pipeline);
    } catch (session_is_shared const& e) {
        // A pooler hands the session around: what is prepared or listened to on it belongs to another client.
        m_session.pool().log(e.what());
        m_session.pool().stop_preparing();
        m_session.drop();
        m_batch.reset();
        m_listen = false;
        throw pqxx::broken_connection{e.what()};
    } catch (...) {
        m_batch.reset();
        throw;
    }
}

bool batch_reader::can_listen() {
    if (m_listen && m_session.pool().through_pooler()) {
        m_session.pool().log(
            "once: subscription " + m_subscription +
            ": a pooler stands between, so nobody can wake this reader, and it asks for messages "
            "again and again instead. Connect readers directly to let them sleep, or set "
            "reader_options::listen = false");
        m_listen = false;
    }
    return m_listen;
}

bool batch_reader::keep() {
    auto const now = clock::now();
    if (m_lease.wants_renewal(now)) {
        pipeline renewal;
        auto const place = renewal.add_transaction(m_lease.renew(m_lease_texts));
        m_lease.renewed(exchange(renewal)[place], now);
        if (!m_lease.held()) {
            m_batch.reset();
        }
    }
    return m_lease.held();
}

bool batch_reader::lead() {
    bool const kept = keep();
    auto const now = clock::now();
    if (kept || now < m_lease.try_at()) {
        return kept;
    }
    pipeline candidacy;
    auto const place = candidacy.add_transaction(m_lease.acquire(m_lease_texts));
    bool const died = m_lease.acquired(exchange(candidacy)[place], now);
    if (m_lease.held()) {
        m_batch.reset();
        m_look_for_due_at = {};
        if (died) {
            suspect_batch("the worker that had it ended");
        }
    } else if (m_lease.locked()) {
        m_session.look_at_holder();
    }
    return m_lease.held();
}

void batch_reader::suspect_batch(std::string const& why) {
    progress made;
    for (auto const position : batch().positions) {
        made.parked.push_back({position, parked_as::suspect, why});
    }
    if (!m_batch->empty()) {
        m_session.pool().log("once: subscription " + m_subscription + ": " +
                             std::to_string(made.parked.size()) +
                             " messages come one at a time now, because " + why);
        acknowledge(made, true);
    }
}

void batch_reader::lost() noexcept {
    m_lease.doubt();
    m_batch.reset();
}

delivery_batch const& batch_reader::batch() {
    if (!m_batch || (m_batch->empty() && m_shown)) {
        read(false);
    }
    m_shown = true;
    return *m_batch;
}

void batch_reader::add_empty_acknowledgement(pipeline& to) const {
    if (m_batch && m_batch->empty() && m_batch->worth_acknowledging) {
        to.add_transaction(
            detail::acknowledgement(m_texts, m_subscription, m_options.slice, *m_batch, {}, false));
    }
}

delivery_batch const& batch_reader::held_batch() {
    if (!m_batch) {
        read(false);
    }
    return *m_batch;
}

std::vector<delivery> batch_reader::take_messages() {
    static_cast<void>(held_batch());
    return std::exchange(m_batch->messages, {});
}

void batch_reader::add_wake_up(pipeline& to) {
    // One that is not UTF-8 is not of notify_readers().
    if (auto const woken = m_session.take_notification(); woken && *woken != m_woken && is_utf8(*woken)) {
        m_woken = *woken;
        to.add_transaction(statement{m_texts.wake_up, parameters{*woken}});
    }
}

batch_reader::places batch_reader::add_read(pipeline& to, bool look_for_due) {
    places made{.sent = clock::now()};
    if (m_lease.wants_renewal(made.sent)) {
        made.renewal = to.add_transaction(m_lease.renew(m_lease_texts));
    }
    look_for_due = look_for_due || made.sent >= std::min({m_look_for_due_at, m_scheduled_at, m_parked_at});
    if (look_for_due) {
        made.release = to.add_transaction(statement{m_texts.release_due, parameters{most_released}});
        made.parked = to.add({m_texts.parked_due, parameters{m_subscription, m_options.slice}});
    }
    made.batch = to.add({m_texts.next_batch, parameters{m_subscription, m_options.slice,
                                                        m_options.batch_messages, m_bytes, m_acknowledged}});
    return made;
}

void batch_reader::take_read(places const& at, std::vector<pg_result> const& answers) {
    auto read = read_batch(answers[at.batch]);
    m_batch.reset();
    m_session.pool().require_timeline(read.timeline);
    m_acknowledged = read.number - 1;
    m_read_at = at.sent;
    m_was_full = read.full;
    if (!read.empty()) {
        m_streams = at.sent - m_found_at <= m_options.gather * gatherings_in_a_stream;
        m_found_at = at.sent;
    }
    if (read.positions.size() > trickle) {
        m_busy_until = clock::now() + busy_time;
    }
    m_batch = std::move(read);
    m_shown = false;
    m_bytes = std::min(m_options.batch_bytes, m_bytes * 2);
    if (at.release) {
        m_scheduled_at = in_milliseconds(answers[*at.release], 1);
        m_parked_at = in_milliseconds(answers[*at.parked], 0);
        m_look_for_due_at = clock::now() + look_for_due_every;
    }
    if (at.renewal) {
        m_lease.renewed(answers[*at.renewal], at.sent);
        if (!m_lease.held()) {
            m_batch.reset();
            return;
        }
    }
    if (has_work()) {
        m_idle_pause = 1ms;
    }
}

// The server looks how large as many messages are as it is asked for, and hands out what fits: so it is not asked for
// many more than that.
void batch_reader::note_parked(std::vector<delivery> const& taken, int limit) {
    auto const count = static_cast<int>(taken.size());
    bool const may_be_cut = bytes_of_payloads(taken) > m_bytes / 2;
    m_took_all_parked = count < limit && !may_be_cut;
    m_parked_limit =
        std::min(m_options.batch_messages, may_be_cut ? std::max(count, 1) * 2 : m_parked_limit * 2);
}

void batch_reader::read_less() noexcept {
    m_batch.reset();
    m_bytes = std::max(std::min(least_bytes, m_options.batch_bytes), m_bytes / 4);
    m_parked_limit = std::max(1, m_parked_limit / 4);
}

void batch_reader::read(bool look_for_due) {
    pipeline one;
    add_empty_acknowledgement(one);
    add_wake_up(one);
    auto const at = add_read(one, look_for_due);
    unless_taken([&] { take_read(at, exchange(one)); });
    if (!m_batch) {
        m_batch.emplace(); // another reader leads: nothing to do
        m_shown = false;
    }
}

statement batch_reader::acknowledgement(progress const& made) const {
    return detail::acknowledgement(m_texts, m_subscription, m_options.slice, *m_batch, made, true);
}

bool batch_reader::streaming() const noexcept {
    return m_streams && clock::now() - m_found_at <= m_options.gather * gatherings_in_a_stream;
}

void batch_reader::let_gather(std::stop_token const& stop) {
    if (stop.stop_possible() && !m_was_full && streaming()) {
        m_session.wait(std::min(next_event(), m_read_at + m_options.gather), stop, false);
    }
}

bool batch_reader::acknowledge(progress const& made, bool durable, std::stop_token const& stop) {
    let_gather(stop);
    pipeline both;
    both.add_transaction(
        detail::acknowledgement(m_texts, m_subscription, m_options.slice, *m_batch, made, durable));
    add_wake_up(both);
    // What was just parked may be due at once. What is behind another one is not, or it can wait for the next look.
    auto const at = add_read(both, !made.parked.empty());
    return unless_taken([&] { take_read(at, exchange(both)); }) && m_lease.held();
}

bool batch_reader::parked_is_due() const noexcept {
    return m_parked_at <= clock::now();
}

std::vector<delivery> batch_reader::take_parked(int most_messages, int most_keys) {
    auto const limit = std::min(most_messages, m_parked_limit);
    pipeline one;
    auto const place =
        one.add_transaction(m_lease.assert_fence(m_lease_texts),
                            statement{m_texts.take_parked, parameters{m_subscription, m_options.slice, limit,
                                                                      most_keys, m_bytes}});
    auto const next = one.add({m_texts.parked_due, parameters{m_subscription, m_options.slice}});
    std::vector<delivery> taken;
    unless_taken([&] {
        auto const answers = exchange(one);
        taken = read_parked(answers[place]);
        note_parked(taken, limit);
        // Those that were taken have stayed due: only an empty answer says that nothing is.
        if (taken.empty()) {
            m_parked_at = in_milliseconds(answers[next], 0);
        }
    });
    return taken;
}

std::vector<statement> batch_reader::settlement_statements(std::vector<settlement> const& settled) const {
    return {m_lease.assert_fence(m_lease_texts),
            settlement_report(m_texts, m_subscription, m_options.slice, settled)};
}

bool batch_reader::settle(std::vector<settlement> const& settled) {
    if (settled.empty()) {
        return m_lease.held();
    }
    auto statements = settlement_statements(settled);
    pipeline one;
    one.add_transaction(std::move(statements[0]), std::move(statements[1]));
    return unless_taken([&] { exchange(one); });
}

void batch_reader::release() noexcept {
    try {
        if (m_lease.held()) {
            pipeline one;
            one.add_transaction(m_lease.release(m_lease_texts));
            m_lease.lost();
            exchange(one);
        }
    } catch (std::exception const& e) {
        m_session.pool().log(std::string{"once: the lease of a reader was not given back: "} + e.what());
    }
    m_session.drop();
}

} // namespace once::detail
