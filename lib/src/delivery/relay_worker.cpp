// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/relay_worker.hpp"

#include <once/error.hpp>

#include "judgement/failure.hpp"
#include "judgement/retry.hpp"

#include <pqxx/except>

#include <algorithm>
#include <utility>

namespace once::detail {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

// Messages of one key may go one after the other while all other keys wait: so those that catch up are not handed out
// in such numbers that it takes longer, but for a few.
constexpr milliseconds long_for_parked = 250ms;
constexpr std::size_t few_parked = 32;

// Beyond the deadline of the publisher the lease lasts a bit, so that the checkpoint is written before it runs out.
milliseconds needed_lease(relay_options const& options) {
    return options.publish_timeout + options.reader.lease / 4;
}

relay_options with_timeout(relay_options options) {
    if (options.publish_timeout == 0ms) {
        options.publish_timeout = options.reader.lease * 2 / 5;
    }
    return options;
}

std::string describe(std::span<delivery const> messages) {
    std::size_t bytes = 0;
    for (auto const& one : messages) {
        bytes += one.payload.data().size();
    }
    return std::to_string(messages.size()) + (messages.size() == 1 ? " message of " : " messages of ") +
           std::to_string(bytes) + " bytes";
}

// What the publisher says of a message that it did not send, unless that is only its key.
std::string first_reason(publish_report const& report) {
    auto const found =
        std::ranges::find_if(report.answers, [](auto const& one) { return !one.error.empty(); });
    return found == report.answers.end() ? "" : ": " + found->error;
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
      m_pool{pool_of(db)},
      m_reader{db, m_subscription, m_options.reader, needed_lease(m_options)},
      m_most_parked{m_options.publish_messages},
      m_dispatcher{m_options.publish_messages} {}

void relay_worker::log(std::string_view line) const noexcept {
    m_pool.log(line, m_options.log);
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
    summary.active = m_reader.lead();
    if (!summary.active) {
        return summary;
    }
    m_trouble.clear();
    m_retry_after.reset();
    m_asked_to_pause = false;
    std::optional<batch_progress> parked;
    if (parked_may_go()) {
        parked = deliver_parked(summary, stop);
    }
    bool const parked_in_doubt = parked && parked->in_doubt();
    auto const accepted = summary.accepted;
    bool in_doubt = false;
    if (parked_in_doubt || m_dispatcher.receiver_is_away()) {
        m_reader.look_again(); // nobody waits for new messages in such rounds, and they are the evidence
    }
    if (m_reader.keep() && !stop.stop_requested()) {
        in_doubt = deliver_batch(summary, stop, parked_in_doubt);
    }
    if (parked_in_doubt) {
        if (summary.accepted > accepted) {
            parked->receiver_is_there();
            deliver(kind::parked, *parked, summary, stop);
        }
        in_doubt = in_doubt || parked->in_doubt();
        settle_parked(*parked, summary);
    }
    conclude(summary, in_doubt && !stop.stop_requested());
    return summary;
}

void relay_worker::conclude(relay_summary& summary, bool in_doubt) {
    bool const away = m_dispatcher.end_round(summary.accepted, in_doubt);
    if (away || m_asked_to_pause) {
        summary.unavailable = m_trouble;
        summary.retry_after = m_retry_after;
    }
    if (summary.accepted + summary.retried + summary.rejected == 0 && !m_trouble.empty()) {
        summary.stuck = m_trouble;
    }
    // Also the first round without trouble after one with it, or an observer would never hear that it is over.
    bool const was_stuck = std::exchange(m_was_stuck, summary.stuck || summary.unavailable);
    if ((!summary.idle() || was_stuck) && m_options.observer) {
        m_options.observer(summary);
    }
}

dispatcher::call relay_worker::publish(std::span<delivery const> messages, relay_summary& summary) {
    auto const begin = clock::now();
    // From the lease, not from now: a process that was stopped meanwhile must find that its time is over.
    auto const deadline =
        std::min(begin + m_options.publish_timeout, m_reader.leads_until() - m_options.reader.lease / 4);
    dispatcher::call made;
    auto& report = made.report;
    try {
        report = m_publisher.publish(messages, deadline);
        made.too_much = !report.unavailable && clock::now() >= deadline;
    } catch (std::exception const& e) {
        made.too_much = judge_failure(e, during::message) == fault::too_much;
        report = {.unavailable = made.too_much ? "there is no memory for " + describe(messages) : e.what()};
    } catch (...) {
        report = {.unavailable = "an exception that is no std::exception"};
    }
    auto const took = clock::now() - begin;
    summary.published_for += std::chrono::ceil<milliseconds>(took);
    if (!report.answers.empty() && !report.unavailable && count_answers(report) == 0) {
        report.unavailable =
            (made.too_much ? describe(messages) + " did not get out within " +
                                 std::to_string(std::chrono::ceil<milliseconds>(took).count()) + " ms"
                           : "the publisher sent nothing") +
            first_reason(report);
    }
    if (report.unavailable) {
        m_trouble = *report.unavailable;
        m_retry_after = std::max(m_retry_after, report.retry_after);
        bool const accepted = std::ranges::any_of(
            report.answers, [](auto const& one) { return one.result == publish_result::accepted; });
        m_asked_to_pause = accepted && report.retry_after;
    }
    return made;
}

// Ends with the time until the next checkpoint, but not before it is clear whether the receiver is there.
void relay_worker::deliver(kind what, batch_progress& batch, relay_summary& summary,
                           std::stop_token const& stop) {
    auto const begin = clock::now();
    m_dispatcher.deliver(
        what, batch, [&](std::span<delivery const> messages) { return publish(messages, summary); },
        [&](batch_progress const& now) {
            if (stop.stop_requested() || m_asked_to_pause ||
                (!now.in_doubt() && clock::now() - begin >= m_options.checkpoint_every)) {
                return false;
            }
            summary.overtaken = summary.overtaken || !m_reader.keep();
            return !summary.overtaken;
        });
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

// While there are other messages, what fails again gets a tenth of the time. What was accepted is what they get, too:
// so a key that catches up gets half of it.
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

batch_progress relay_worker::deliver_parked(relay_summary& summary, std::stop_token const& stop) {
    auto const begin = clock::now();
    // Most of what is taken while the receiver is away has to be given back.
    auto const most = static_cast<int>(m_dispatcher.receiver_is_away() ? std::min(few_parked, m_most_parked)
                                                                       : m_most_parked);
    auto batch = m_dispatcher.begin(m_reader.take_parked(most, most), random_bits());
    bool all_accepted = false;
    if (!batch.empty()) {
        deliver(kind::parked, batch, summary, stop);
        all_accepted = !batch.in_doubt() && settle_parked(batch, summary);
    }
    rest_from_parked(clock::now() - begin, all_accepted);
    return batch;
}

bool relay_worker::settle_parked(batch_progress& batch, relay_summary& summary) {
    m_dispatcher.close(batch);
    auto const& counted = batch.counted();
    summary.accepted += counted.accepted;
    summary.retried += counted.retry;
    summary.rejected += counted.rejected;
    summary.overtaken = !m_reader.settle(batch.settlements()) || summary.overtaken;
    bool const all_accepted = counted.accepted == batch.size();
    if (all_accepted) {
        m_reader.look_behind_again();
    }
    return all_accepted;
}

bool relay_worker::deliver_batch(relay_summary& summary, std::stop_token const& stop, bool in_doubt) {
    if (m_reader.held_batch().empty()) {
        return false;
    }
    auto const behind = m_reader.held_batch().behind.size();
    bool const full = m_reader.held_batch().full;
    batch_progress batch{m_reader.take_messages(), random_bits(),
                         in_doubt || m_dispatcher.receiver_is_away()};
    try {
        deliver(kind::fresh, batch, summary, stop);
        m_dispatcher.close(batch);
        auto const& counted = batch.counted();
        summary.accepted += counted.accepted;
        summary.retried += counted.retry;
        summary.rejected += counted.rejected;
        if (full && batch.in_doubt() && summary.accepted == 0 && m_dispatcher.wants_to_look_behind()) {
            batch.set_aside();
        }
        if (!summary.overtaken) {
            acknowledge_batch(batch, behind, summary, stop);
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
    return batch.in_doubt();
}

void relay_worker::acknowledge_batch(batch_progress const& batch, std::size_t behind, relay_summary& summary,
                                     std::stop_token const& stop) {
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
    summary.overtaken = !m_reader.acknowledge(*settled, m_options.durable_checkpoints, stop);
    if (!summary.overtaken) {
        summary.overtaken = !m_reader.settle(batch.pauses());
    }
}

relay_summary relay_worker::run(std::stop_token const& stop) {
    relay_summary total;
    while (!stop.stop_requested()) {
        try {
            total += turn(stop);
            note_success();
        } catch (std::exception const& e) {
            recover(e, stop);
        }
    }
    m_reader.release();
    return total;
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

void relay_worker::log_once(std::string_view what) {
    if (auto line = "once: subscription " + m_subscription + ": " + std::string{what}; line != m_last_line) {
        log(line);
        m_last_line = std::move(line);
    }
}

relay_summary relay_worker::turn(std::stop_token const& stop) {
    auto summary = round(stop);
    if (summary.unavailable) {
        pause_unavailable(summary, stop);
        return summary;
    }
    if (summary.stuck) { // its time is spent, and the next call is smaller
        log_once("nothing got out: " + *summary.stuck);
    } else if (summary.idle() && !stop.stop_requested()) {
        m_reader.wait(stop);
    }
    if (summary.accepted > 0 && m_unavailable_times > 0) {
        log("once: subscription " + m_subscription + ": the receiver takes messages again");
        m_unavailable_times = 0;
    }
    return summary;
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
    auto const what = judge_failure(e, during::own_statement);
    if (!is_waited_out(what)) {
        m_reader.release();
        throw; // NOLINT: called from the handler that caught it
    }
    if (what == fault::too_much) {
        m_reader.read_less();
    }
    ++m_failures;
    log_once(e.what());
    auto const pause = what == fault::paused ? 1000ms
                       : what == fault::conflict
                           ? 10ms
                           : milliseconds{std::min(25 << std::min(m_failures, 7), 2000)};
    m_reader.pause(
        pause / 2 + milliseconds{static_cast<milliseconds::rep>(random_bits() % 1000) * pause.count() / 2000},
        stop);
}

} // namespace once::detail
