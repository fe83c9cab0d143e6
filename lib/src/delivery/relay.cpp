// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/relay.hpp>

#include "delivery/relay_worker.hpp"
#include "text/check_range.hpp"

#include <utility>

namespace once {

namespace {

using detail::check_range;

relay_options checked(relay_options options) {
    validate(options);
    return options;
}

} // namespace

void validate(relay_options const& options) {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    validate(options.reader);
    check_range<std::size_t>(options.publish_messages, 1, 100'000, "relay_options.publish_messages",
                             "1 and 100000");
    check_range<milliseconds>(options.checkpoint_every, 1ms, 1h, "relay_options.checkpoint_every",
                              "1 millisecond and 1 hour");
    check_range<milliseconds>(options.publish_timeout, 0ms, options.reader.lease / 2,
                              "relay_options.publish_timeout", "0 and half of reader.lease");
    check_range<milliseconds>(options.pause_cap, 1ms, 24h, "relay_options.pause_cap",
                              "1 millisecond and 24 hours");
    check_range<milliseconds>(options.pause_base, 1ms, options.pause_cap, "relay_options.pause_base",
                              "1 millisecond and pause_cap");
}

relay::relay(database& db, std::string subscription, publisher& publisher, relay_options options)
    : m_worker{std::make_unique<detail::relay_worker>(db, std::move(subscription), publisher,
                                                      checked(std::move(options)))} {}

relay::~relay() = default;
relay::relay(relay&&) noexcept = default;

relay_summary relay::run_once() {
    return m_worker->once();
}

relay_summary relay::run(
    std::stop_token stop) { // NOLINT(performance-unnecessary-value-param): as std::jthread hands it over
    return m_worker->run(stop);
}

} // namespace once
