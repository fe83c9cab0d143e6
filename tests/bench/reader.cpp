// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "peer.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace once::bench {

namespace {

/// Notes which message came when.
class notebook final : public publisher {
public:
    explicit notebook(std::size_t wanted) : m_wanted{wanted} {}

    publish_report publish(std::span<delivery const> messages,
                           std::chrono::steady_clock::time_point) override {
        auto const now = std::chrono::steady_clock::now().time_since_epoch();
        auto const at = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
        std::lock_guard const lock{m_mutex};
        for (auto const& one : messages) {
            m_came.emplace_back(one.payload.as()["n"].get<std::int64_t>(), at);
        }
        m_changed.notify_all();
        publish_report report;
        report.answers.resize(messages.size());
        return report;
    }

    [[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> all() {
        std::unique_lock lock{m_mutex};
        m_changed.wait(lock, [&] { return m_came.size() >= m_wanted; });
        return m_came;
    }

private:
    std::size_t m_wanted;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::vector<std::pair<std::int64_t, std::int64_t>> m_came;
};

} // namespace

int read_messages(std::string const& dsn, std::string const& subscription, std::size_t total, int batch,
                  std::optional<std::chrono::milliseconds> gather) {
    database db{dsn, {.max_connections = 1}};
    db.check();
    notebook receiver{total};
    relay_options options;
    if (batch > 0) {
        options.reader.batch_messages = batch;
    }
    if (gather) {
        options.reader.gather = *gather;
    }
    relay reading{db, subscription, receiver, options};
    std::printf("ready\n");
    auto const begin = cpu_seconds();
    std::jthread const reader{[&](std::stop_token const& stop) { reading.run(stop); }};
    auto const came = receiver.all();
    // The last batch is still to be acknowledged.
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
    nlohmann::json const said{{"came", came}, {"cpu", cpu_seconds() - begin}};
    std::printf("%s\n", said.dump().c_str());
    static_cast<void>(std::vector<char>(std::istreambuf_iterator<char>{std::cin}, {}));
    return EXIT_SUCCESS;
}

} // namespace once::bench
