// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/relay_worker.hpp"

#include <once/advise.hpp>
#include <once/error.hpp>

#include "execute/retry.hpp"

#include <pqxx/except>

#include <algorithm>
#include <utility>

namespace once::detail {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

// Messages of one key may go one after the other while all other keys wait: so those that catch up are not handed out in
// such numbers that it takes longer, but for a few.
constexpr milliseconds long_for_parked = 250ms;
constexpr std::size_t few_parked = 32;

// Beyond the deadline of the publisher the lease lasts a bit, so that the checkpoint is written before it runs out.
milliseconds needed_lease(relay_options const& options) {
    return options.publish_timeout + options.reading.lease / 4;
}

relay_options with_timeout(relay_options options) {
    if (options.publish_timeout == 0ms) {
        options.publish_timeout = options.reading.lease * 2 / 5;
    }
    return options;
}

settled_as as_settled(publish_result result) noexcept {
    switch (result) {
    case publish_result::accepted:
        return settled_as::accepted;
    case publish_result::retry:
        return settled_as::retry;
    case publish_result::rejected:
        return settled_as::rejected;
    case publish_result::not_sent:
        break;
    }
    return settled_as::unavailable;
}

} // namespace

milliseconds pause_before_asking_again(relay_options const& options, int times,
                                       std::uint64_t random) noexcept {
    auto const limit = std::min<milliseconds::rep>(
        options.pause_cap.count(), options.pause_base.count() << std::clamp(times - 1, 0, 30));
    return milliseconds{limit - limit / 2 +
                        static_cast<milliseconds::rep>(random % (static_cast<std::uint64_t>(limit / 2) + 1))};
}

relay_worker::relay_worker(database& db, std::string subscription, publisher& publisher,
                           relay_options options)
    : m_options{with_timeout(std::move(options))},
      m_subscription{std::move(subscription)},
      m_publisher{publisher},
      m_pool{db.pool()},
      m_reader{db, m_subscription, m_options.reading, needed_lease(m_options)},
      m_most_parked{m_options.publish_messages} {}

void relay_worker::log(std::string_view line) const noexcept {
    if (!m_options.log) {
        m_pool.log(line);
        return;
    }
    try {
        m_options.log(line);
    } catch (...) { // NOLINT(bugprone-empty-catch): a logger that fails must not stop the relay
    }
}

relay_summary relay_worker::once() {
    m_reader.look_again();
    auto const summary = round({});
    // wait() would do it.
    if (summary.idle() && m_reader.leads() && m_reader.held_batch().empty() &&
        m_reader.held_batch().worth_acknowledging) {
        static_cast<void>(m_reader.acknowledge({}, false));
    }
    return summary;
}

relay_summary relay_worker::round(std::stop_token const& stop) {
    relay_summary summary;
    if (!m_reader.lead()) {
        summary.standby = true;
        return summary;
    }
    if (parked_may_go()) {
        auto const begin = clock::now();
        bool const all_accepted = deliver_parked(summary);
        rest_from_parked(clock::now() - begin, all_accepted);
    }
    if (!summary.unavailable && m_reader.keep() && !stop.stop_requested()) {
        deliver_batch(summary, stop);
    }
    if (!summary.idle() && m_options.observer) {
        m_options.observer(summary);
    }
    return summary;
}

publish_report relay_worker::publish(std::span<delivery const> messages, relay_summary& summary) {
    auto const begin = clock::now();
    // From the lease, not from now: a process that was stopped meanwhile must find that its time is over.
    auto const deadline =
        std::min(begin + m_options.publish_timeout, m_reader.leads_until() - m_options.reading.lease / 4);
    publish_report report;
    try {
        report = m_publisher.publish(messages, deadline);
    } catch (std::exception const& e) {
        report = {.unavailable = e.what()};
    }
    summary.published_for += std::chrono::ceil<milliseconds>(clock::now() - begin);
    bool const sent_nothing =
        !report.answers.empty() && std::ranges::all_of(report.answers, [](auto const& answer) {
            return answer.result == publish_result::not_sent;
        });
    if (!report.unavailable && sent_nothing && clock::now() < deadline) {
        report.unavailable = "the publisher sent nothing";
    }
    note_unavailable(report, summary);
    return report;
}

void relay_worker::note_unavailable(publish_report const& report, relay_summary& summary) {
    if (report.unavailable) {
        summary.unavailable = report.unavailable;
        summary.retry_after = report.retry_after;
    }
}

bool relay_worker::parked_may_go() {
    if (!m_reader.parked_is_due()) {
        return false;
    }
    if (clock::now() >= m_parked_rest_until) {
        return true;
    }
    // What waits behind parked messages is no reason to let them rest.
    auto const& batch = m_reader.held_batch();
    return batch.positions.empty() && !batch.full;
}

// While there are other messages, what fails again gets a tenth of the time. What was accepted is what they get, too: so a
// key that catches up gets half of it.
void relay_worker::rest_from_parked(clock::duration took, bool all_accepted) {
    m_parked_rest_until = clock::now() + (all_accepted ? 1 : 9) * took;
    if (!all_accepted) {
        return;
    }
    if (took > long_for_parked) {
        m_most_parked = std::max(m_most_parked / 2, std::min(few_parked, m_options.publish_messages));
    } else if (took < long_for_parked / 2) {
        m_most_parked = std::min(m_most_parked * 2, m_options.publish_messages);
    }
}

bool relay_worker::deliver_parked(relay_summary& summary) {
    auto const most = static_cast<int>(m_most_parked);
    auto const messages = m_reader.take_parked(most, most);
    if (messages.empty()) {
        return false;
    }
    auto const report = publish(messages, summary);
    if (!report.answers.empty()) {
        check_answers(report, messages.size());
    }
    auto const before = summary.accepted;
    std::vector<settlement> settled;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto const answer = report.answers.empty()
                                ? publish_answer{publish_result::not_sent, report.unavailable.value_or("")}
                                : report.answers[i];
        settled.push_back(
            {messages[i].position, messages[i].id, as_settled(answer.result), answer.error, answer.retry_after});
        summary.accepted += answer.result == publish_result::accepted ? 1 : 0;
        summary.retry += answer.result == publish_result::retry ? 1 : 0;
        summary.rejected += answer.result == publish_result::rejected ? 1 : 0;
    }
    summary.overtaken = !m_reader.settle(settled) || summary.overtaken;
    bool const all_accepted = summary.accepted - before == messages.size();
    if (all_accepted) {
        m_reader.look_behind_again();
    }
    return all_accepted;
}

void relay_worker::deliver_batch(relay_summary& summary, std::stop_token const& stop) {
    if (m_reader.held_batch().empty()) {
        return;
    }
    auto const behind = m_reader.held_batch().behind.size();
    batch_progress batch{m_reader.take_messages()};
    try {
        publish_batch(batch, summary, stop);
        if (summary.overtaken) {
            return;
        }
        auto settled = batch.settle();
        if (!settled && batch.empty()) {
            settled.emplace(); // all of it waits for its keys
        }
        if (!settled) {
            m_reader.acknowledged(); // nothing is: it is read again
            return;
        }
        auto const failed = batch.counted().retry + batch.counted().rejected;
        summary.behind += settled->parked.size() - failed + (settled->up_to ? 0 : behind);
        summary.overtaken = !m_reader.acknowledge(*settled, m_options.durable_checkpoints);
        if (!summary.overtaken) {
            summary.overtaken = !m_reader.settle(batch.pauses());
        }
    } catch (...) {
        m_reader.acknowledged();
        throw;
    }
    if (summary.overtaken) {
        log("once: subscription " + m_subscription +
            ": another relay was faster with a batch, or there was a failover; its messages may have "
            "arrived twice");
    }
}

void relay_worker::publish_batch(batch_progress& batch, relay_summary& summary, std::stop_token const& stop) {
    auto const begin = clock::now();
    for (auto chunk = batch.next(m_options.publish_messages); !chunk.empty();
         chunk = batch.next(m_options.publish_messages)) {
        bool const changed = batch.take(publish(chunk, summary));
        if (!changed || summary.unavailable || stop.stop_requested() ||
            clock::now() - begin >= m_options.checkpoint_every) {
            break;
        }
        if (!m_reader.keep()) {
            summary.overtaken = true;
            break;
        }
    }
    summary.accepted += batch.counted().accepted;
    summary.retry += batch.counted().retry;
    summary.rejected += batch.counted().rejected;
}

void relay_worker::run(std::stop_token const& stop) {
    while (!stop.stop_requested()) {
        try {
            turn(stop);
            note_success();
        } catch (std::exception const& e) {
            recover(e, stop);
        }
    }
    m_reader.release();
}

// The next outage is told again, also when it says the same.
void relay_worker::note_success() {
    if (m_failures > 0) {
        log("once: subscription " + m_subscription + ": goes on after " + std::to_string(m_failures) +
            (m_failures == 1 ? " failure" : " failures"));
    }
    m_failures = 0;
    m_last_line.clear();
}

void relay_worker::turn(std::stop_token const& stop) {
    auto const summary = round(stop);
    if (summary.unavailable) {
        pause_unavailable(summary, stop);
    } else if (summary.idle() && !stop.stop_requested()) {
        m_reader.wait(stop);
    } else {
        if (summary.accepted > 0 && m_unavailable_times > 0) {
            log("once: subscription " + m_subscription + ": the receiver takes messages again");
            m_unavailable_times = 0;
        }
    }
}

void relay_worker::pause_unavailable(relay_summary const& summary, std::stop_token const& stop) {
    if (m_unavailable_times == 0) {
        log("once: subscription " + m_subscription +
            ": the receiver is unavailable: " + *summary.unavailable);
    }
    m_unavailable_times = summary.accepted > 0 ? 1 : std::min(m_unavailable_times + 1, 1000);
    auto pause = pause_before_asking_again(m_options, m_unavailable_times, random_bits());
    auto const cap = std::max<std::chrono::milliseconds>(m_options.pause_cap, 1ms);
    pause = std::max(pause, std::min(summary.retry_after.value_or(0ms), cap));
    auto const end = clock::now() + pause;
    // The lease is kept meanwhile: a relay that lets it run out is taken for dead.
    while (!stop.stop_requested() && clock::now() < end && m_reader.keep()) {
        auto const until = std::min(end, m_reader.leads_until() - needed_lease(m_options));
        m_reader.pause(std::max(1ms, std::chrono::ceil<milliseconds>(until - clock::now())), stop);
    }
}

void relay_worker::recover(std::exception const& e, std::stop_token const& stop) {
    auto const* const sql = dynamic_cast<pqxx::sql_error const*>(&e);
    auto const state = std::string{sql != nullptr ? sql->sqlstate() : ""};
    bool const waits_for_people = state == "ON061"; // paused or expired
    auto const what = advise(e);
    bool const passes =
        waits_for_people || what != advice::give_up || dynamic_cast<deadline_exceeded const*>(&e) != nullptr;
    if (!passes) {
        m_reader.release();
        throw; // NOLINT: called from the handler that caught it
    }
    ++m_failures;
    if (std::string line = "once: subscription " + m_subscription + ": " + e.what(); line != m_last_line) {
        log(line);
        m_last_line = std::move(line);
    }
    auto const pause = waits_for_people ? 1000ms
                       : what == advice::retry_transaction
                           ? 10ms
                           : milliseconds{std::min(25 << std::min(m_failures, 7), 2000)};
    m_reader.pause(
        pause / 2 + milliseconds{static_cast<milliseconds::rep>(random_bits() % 1000) * pause.count() / 2000},
        stop);
}

} // namespace once::detail
