// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/consumer_worker.hpp"

#include "judgement/retry.hpp"

#include <pqxx/except>

#include <algorithm>
#include <tuple>

namespace once::detail {

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Keys with parked messages per round, so that a long queue of them does not hold up the others.
constexpr int parked_keys_at_a_time = 20;
// As many connections may be lost by chance; then the batch is suspected.
constexpr int most_losses = 3;

transaction_options transaction_options_of(consumer_options const& options) {
    return {.isolation_level = options.isolation_level,
            .deadline = options.deadline,
            .reply_timeout = options.reader.reply_timeout,
            .max_attempts = options.max_attempts,
            .durability = options.durability};
}

// The messages at the head that have one key; one that has none is by itself.
std::span<delivery const> first_run(std::span<delivery const> sorted_by_key) {
    auto const& key = sorted_by_key.front().key;
    auto const end = std::ranges::find_if(sorted_by_key.subspan(1),
                                          [&](auto const& one) { return key.empty() || one.key != key; });
    return {sorted_by_key.begin(), end};
}

// The first ones took effect; what is behind them and did not fail was not tried.
std::vector<settlement> settlements(std::span<delivery const> messages, std::size_t handled = 0) {
    std::vector<settlement> made;
    made.reserve(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        made.push_back({.position = messages[i].position,
                        .id = messages[i].id,
                        .as = i < handled ? settled_as::accepted : settled_as::unavailable});
    }
    return made;
}

} // namespace

consumer_worker::consumer_worker(database& db, std::string subscription, run_handler handle,
                                 consumer_options const& options)
    : m_pool{pool_of(db)},
      m_subscription{subscription},
      m_handle{std::move(handle)},
      m_options{options},
      m_transaction{transaction_options_of(options)},
      m_reader{db, std::move(subscription), options.reader, options.deadline} {}

consumer_summary consumer_worker::run_once(std::stop_token const& stop) {
    consumer_summary summary;
    if (m_reader.lead() && m_reader.parked_is_due()) {
        handle_parked(stop, summary);
    }
    if (m_reader.lead() && !m_reader.batch().empty() && !stop.stop_requested()) {
        handle_batch(stop, summary);
    }
    summary.active = m_reader.leads();
    if (m_options.observer && !summary.idle()) {
        m_options.observer(summary);
    }
    return summary;
}

consumer_worker::ending
consumer_worker::attempt(std::span<delivery const> messages, std::stop_token const& stop, int number,
                         std::function<std::vector<statement>(std::size_t)> const& close) {
    doubt in_doubt;
    call_context const context{.pool = m_pool,
                               .request = nullptr,
                               .redeeming = nullptr,
                               .options = m_transaction,
                               .record = no_record,
                               .deadline = steady_clock::now() + m_options.deadline,
                               .in_doubt = in_doubt};
    ending end{.place = {.stop = stop}};
    auto const work = [&](transaction& tx) -> response {
        if (!messages.empty()) {
            end.place.inside = true;
            m_handle(messages, tx, end.place);
            end.place.inside = false;
        }
        for (auto& one : close(end.place.at)) {
            tx.at_commit(std::move(one));
        }
        return {};
    };
    auto& session = m_reader.on();
    try {
        attempt_with_callback(context, session, number, work);
        end.committed = true;
        end.handled = end.place.at;
    } catch (std::exception const& e) {
        end.why = e.what();
        bool const before_commit = end.place.inside || dynamic_cast<deadline_exceeded const*>(&e) != nullptr;
        bool const late = before_commit && steady_clock::now() >= context.deadline;
        end.what = judge_attempt(e, {.what = end.place.inside ? during::message : during::commit,
                                     .messages = messages.size(),
                                     .session_ended = !session.open(),
                                     .out_of_time = late});
        if (late) {
            end.why = "it was not done within " + std::to_string(m_options.deadline.count()) + " ms";
        }
        session.settle(steady_clock::now() + m_options.reader.reply_timeout);
        if (end.what == fault::database) {
            remember_loss(end.place.inside);
            // COMMIT may have been carried out: only the database knows where we are.
            m_reader.acknowledged();
            throw;
        }
        if (end.what == fault::paused) {
            m_reader.acknowledged();
            throw;
        }
        if (end.what == fault::set_up) {
            throw;
        }
    } catch (...) {
        end.why = "an exception that is no std::exception";
        session.settle(steady_clock::now() + m_options.reader.reply_timeout);
    }
    return end;
}

consumer_worker::ending
consumer_worker::attempt_with_retries(std::span<delivery const> messages, std::stop_token const& stop,
                                      std::function<std::vector<statement>(std::size_t)> const& close) {
    for (int number = 1;; ++number) {
        auto end = attempt(messages, stop, number, close);
        if (end.committed || end.what != fault::conflict || stop.stop_requested()) {
            return end;
        }
        if (number >= m_options.max_attempts) {
            end.what = fault::message;
            return end;
        }
        m_reader.pause(
            std::chrono::ceil<std::chrono::milliseconds>(backoff(setback::conflict, number, random_bits())),
            stop);
    }
}

progress consumer_worker::progress_of(std::span<delivery const> messages, std::size_t handled,
                                      std::optional<stumble> const& failed) const {
    if (failed && failed->at == handled) {
        auto const position = messages[failed->at].position;
        return {.up_to = position, .parked = {{position, failed->as, failed->why}}};
    }
    if (handled == messages.size()) {
        return {};
    }
    return {.up_to = messages[handled - 1].position};
}

void consumer_worker::count(delivery_batch const& batch, progress const& made, std::size_t handled,
                            consumer_summary& summary) {
    m_losses = 0;
    note_handled(handled);
    summary.handled += handled;
    for (auto const& one : made.parked) {
        ++(one.as == parked_as::dead ? summary.rejected : summary.retried);
    }
    summary.behind += static_cast<std::size_t>(std::ranges::count_if(
        batch.behind, [&](std::int64_t position) { return !made.up_to || position <= *made.up_to; }));
}

void consumer_worker::note_handled(std::size_t handled) noexcept {
    if (handled >= m_most) {
        m_most *= 2;
    }
}

void consumer_worker::handle_batch(std::stop_token const& stop, consumer_summary& summary) {
    auto const& batch = m_reader.batch();
    if (m_losses >= most_losses && m_lossy_batch == batch.number) {
        m_losses = 0;
        m_reader.suspect_batch("the connection was lost again and again while it was handled");
        return;
    }
    std::span<delivery const> const all{batch.messages};
    auto const done = carry(all, stop, [&](std::size_t handled, std::optional<stumble> const& failed) {
        return std::vector{m_reader.acknowledgement(progress_of(all, handled, failed))};
    });
    if (done.how == fate::lost || done.how == fate::stopped) {
        return; // abandoned: it comes again
    }
    auto const made = progress_of(all, done.handled, done.failed);
    count(batch, made, done.handled, summary);
    if (done.how == fate::failed) {
        m_reader.acknowledge(made, true);
    } else {
        m_reader.acknowledged();
    }
}

consumer_worker::carried consumer_worker::carry(std::span<delivery const> all, std::stop_token const& stop,
                                                report const& statements) {
    part to_do{.end = std::min(all.size(), m_most)};
    while (to_do.end > 0) {
        auto const ended = attempt_with_retries(all.first(to_do.end), stop, [&](std::size_t handled) {
            return statements(handled, to_do.failed);
        });
        if (ended.committed) {
            return {fate::committed, ended.handled, to_do.failed};
        }
        if (ended.what == fault::another_reader) {
            m_reader.lost();
            return {.how = fate::lost};
        }
        if (ended.what == fault::conflict) {
            return {.how = fate::stopped};
        }
        make_smaller(to_do, ended);
    }
    return {fate::failed, 0, to_do.failed};
}

// What to try next, after a transaction that failed by the fault of one of its messages.
void consumer_worker::make_smaller(part& to_do, ending const& ended) {
    auto const as = ended.what == fault::rejected ? parked_as::dead : parked_as::retry;
    bool const several = to_do.end > 1;
    if (ended.what == fault::too_much) {
        // All together were too much, which says nothing of the one at which time or memory ran out.
        auto const done = ended.place.knows ? ended.place.at : to_do.end;
        to_do = {.end = std::max<std::size_t>(1, std::min(done, to_do.end) / 2)};
        m_most = to_do.end;
    } else if (ended.place.inside && ended.place.knows) {
        to_do = {.end = ended.place.at, .failed = stumble{ended.place.at, as, ended.why}};
    } else if (!several) {
        to_do = {.end = 0, .failed = stumble{0, as, ended.why}};
    } else {
        // COMMIT failed, or the handler of a batch: one of its messages is why, and halves find it.
        to_do = {.end = to_do.end / 2};
    }
}

void consumer_worker::handle_parked(std::stop_token const& stop, consumer_summary& summary) {
    auto taken = m_reader.take_parked(m_options.reader.batch_messages, parked_keys_at_a_time);
    std::ranges::sort(taken, {}, [](delivery const& one) { return std::tie(one.key, one.position); });
    auto const handled_before = summary.handled;
    for (std::span<delivery const> left{taken}; !left.empty() && m_reader.leads();) {
        if (stop.stop_requested() || !m_reader.lead()) {
            m_reader.settle(settlements(left));
            return;
        }
        auto const run = first_run(left);
        handle_run(run, stop, summary);
        left = left.subspan(run.size());
    }
    if (summary.handled - handled_before == taken.size()) {
        m_reader.look_behind_again();
    }
}

// Messages of one key: one that has failed before, or several that have not.
void consumer_worker::handle_run(std::span<delivery const> run, std::stop_token const& stop,
                                 consumer_summary& summary) {
    auto const settled = [&](std::size_t handled, std::optional<stumble> const& failed) {
        auto made = settlements(run, handled);
        if (failed && failed->at == handled) {
            made[handled].as = failed->as == parked_as::dead ? settled_as::rejected : settled_as::retry;
            made[handled].error = failed->why;
        }
        return made;
    };
    auto const done = carry(run, stop, [&](std::size_t handled, std::optional<stumble> const& failed) {
        return m_reader.settlement_statements(settled(handled, failed));
    });
    if (done.how == fate::lost) {
        return;
    }
    if (done.how != fate::committed && !m_reader.settle(settled(0, done.failed))) {
        return;
    }
    note_handled(done.handled);
    summary.handled += done.handled;
    if (done.failed && done.failed->at == done.handled) {
        ++(done.failed->as == parked_as::dead ? summary.rejected : summary.retried);
    }
}

void consumer_worker::remember_loss(bool in_handler) {
    if (!in_handler || !m_reader.has_batch()) {
        return;
    }
    auto const number = m_reader.batch().number;
    m_losses = number == m_lossy_batch ? m_losses + 1 : 1;
    m_lossy_batch = number;
}

void consumer_worker::log(std::string_view line) const noexcept {
    m_pool.log(line, m_options.log);
}

void consumer_worker::pause_after(std::exception const& e, fault what, int failures,
                                  std::stop_token const& stop) {
    log("once: consumer of " + m_subscription + ": " + e.what());
    m_reader.pause(what == fault::paused ? 1s
                                         : std::chrono::ceil<std::chrono::milliseconds>(
                                               backoff(setback::connection, failures, random_bits())),
                   stop);
}

consumer_summary consumer_worker::run(std::stop_token const& stop) {
    consumer_summary total;
    for (int failures = 0; !stop.stop_requested();) {
        try {
            auto const did = run_once(stop);
            total += did;
            if (did.idle() && !stop.stop_requested()) {
                m_reader.wait(stop);
            } else {
                m_reader.gather(stop);
            }
            failures = 0;
        } catch (std::exception const& e) {
            auto const what = judge_failure(e, during::own_statement);
            if (!is_waited_out(what)) {
                m_reader.release();
                throw;
            }
            if (what == fault::too_much) {
                m_reader.read_less();
            }
            pause_after(e, what, ++failures, stop);
        }
    }
    m_reader.release();
    return total;
}

} // namespace once::detail
