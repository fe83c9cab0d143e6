// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>

#include "delivery/consumer_worker.hpp"
#include "text/check_range.hpp"

namespace once {

namespace {

detail::run_handler adapted(consumer::handler handle) {
    return [handle = std::move(handle)](std::span<delivery const> messages, transaction& tx,
                                        detail::handler_place& place) {
        for (auto const& one : messages) {
            if (place.at > 0 && place.stop.stop_requested()) {
                return;
            }
            place.knows = true;
            handle(one, tx);
            ++place.at;
        }
    };
}

detail::run_handler adapted(consumer::batch_handler handle) {
    return [handle = std::move(handle)](std::span<delivery const> messages, transaction& tx,
                                        detail::handler_place& place) {
        place.knows = messages.size() == 1;
        handle(messages, tx);
        place.at = messages.size();
    };
}

} // namespace

void validate(consumer_options const& options) {
    using namespace std::chrono_literals;
    validate(options.reader);
    if (options.deadline < 100ms || options.deadline > 1h ||
        options.deadline + 500ms > options.reader.lease) {
        throw invalid_argument{
            "consumer_options.deadline",
            "it must be between 100 milliseconds and 1 hour, and at least 500 milliseconds shorter "
            "than reader.lease"};
    }
    detail::check_range(options.max_attempts, 1, 1000, "consumer_options.max_attempts", "1 and 1000");
}

class consumer::implementation : public detail::consumer_worker {
public:
    using consumer_worker::consumer_worker;
};

consumer::consumer(database& db, std::string subscription, handler handle, consumer_options const& options) {
    validate(options);
    m_implementation =
        std::make_unique<implementation>(db, std::move(subscription), adapted(std::move(handle)), options);
}

consumer::consumer(database& db, std::string subscription, batch_handler handle,
                   consumer_options const& options) {
    validate(options);
    m_implementation =
        std::make_unique<implementation>(db, std::move(subscription), adapted(std::move(handle)), options);
}

consumer::~consumer() = default;
consumer::consumer(consumer&&) noexcept = default;
consumer& consumer::operator=(consumer&&) noexcept = default;

consumer_summary consumer::run_once() {
    return m_implementation->run_once({});
}

consumer_summary consumer::run(
    std::stop_token stop) { // NOLINT(performance-unnecessary-value-param): as std::jthread hands it over
    return m_implementation->run(stop);
}

} // namespace once
