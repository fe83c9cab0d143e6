// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/numbers.hpp"

#include <functional>

namespace once::command {

void relay_numbers::begin(int slice) {
    std::lock_guard const lock{m_mutex};
    m_slices.try_emplace(slice);
}

void relay_numbers::add(int slice, relay_summary const& round) {
    std::lock_guard const lock{m_mutex};
    auto& to = m_slices[slice];
    to.accepted += round.accepted;
    to.retry += round.retried;
    to.rejected += round.rejected;
    to.behind += round.behind;
    to.overtaken += round.overtaken ? 1 : 0;
    to.published_for += round.published_for;
    to.unavailable = round.unavailable;
    to.stuck = round.stuck;
}

relay_numbers::totals relay_numbers::sum() const {
    std::lock_guard const lock{m_mutex};
    totals made;
    for (auto const& [slice, one] : m_slices) {
        made.accepted += one.accepted;
        made.retry += one.retry;
        made.rejected += one.rejected;
        made.behind += one.behind;
        made.overtaken += one.overtaken;
        made.published_for += one.published_for;
        if (one.unavailable) {
            made.unavailable = one.unavailable;
        }
        if (one.stuck) {
            made.stuck = one.stuck;
        }
    }
    return made;
}

std::vector<prometheus::MetricFamily> relay_numbers::families() const {
    using prometheus::MetricType;
    std::lock_guard const lock{m_mutex};
    std::vector<prometheus::MetricFamily> made;
    auto const family = [&](char const* name, char const* help, MetricType type) {
        made.push_back({name, help, type, {}});
    };
    auto const add_metric = [&](int slice, double value, std::string const& result) {
        auto& metric = made.back().metric.emplace_back();
        metric.label = {{"subscription", m_subscription}, {"slice", std::to_string(slice)}};
        if (!result.empty()) {
            metric.label.push_back({"result", result});
        }
        (made.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    };
    family("once_relay_messages_total",
           "Messages that this process has handed to the publisher, by what came of them.",
           MetricType::Counter);
    for (auto const& [slice, one] : m_slices) {
        add_metric(slice, static_cast<double>(one.accepted), "accepted");
        add_metric(slice, static_cast<double>(one.retry), "retry");
        add_metric(slice, static_cast<double>(one.rejected), "rejected");
        add_metric(slice, static_cast<double>(one.behind), "behind");
    }
    family("once_relay_publish_seconds_total", "Time that the publisher took.", MetricType::Counter);
    for (auto const& [slice, one] : m_slices) {
        add_metric(slice, std::chrono::duration<double>(one.published_for).count(), "");
    }
    family("once_relay_overtaken_total",
           "Batches that another relay acknowledged meanwhile; they may have come twice.",
           MetricType::Counter);
    for (auto const& [slice, one] : m_slices) {
        add_metric(slice, static_cast<double>(one.overtaken), "");
    }
    family("once_relay_receiver_unavailable", "1 while the receiver takes nothing.", MetricType::Gauge);
    for (auto const& [slice, one] : m_slices) {
        add_metric(slice, one.unavailable ? 1 : 0, "");
    }
    family("once_relay_stuck", "1 while there are messages and none of them gets out, for whatever reason.",
           MetricType::Gauge);
    for (auto const& [slice, one] : m_slices) {
        add_metric(slice, one.stuck ? 1 : 0, "");
    }
    return made;
}

} // namespace once::command
