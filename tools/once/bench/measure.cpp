// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bench/measure.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>

namespace once::command {

using clock = std::chrono::steady_clock;

double measured::per_second() const {
    return took.count() > 0 ? static_cast<double>(jobs) / took.count() : 0;
}

std::optional<double> measured::percentile(double share) const {
    if (milliseconds.empty()) {
        return std::nullopt;
    }
    auto const rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(milliseconds.size())));
    return milliseconds[std::clamp<std::size_t>(rank, 1, milliseconds.size()) - 1];
}

measured measure(std::vector<bench_step> const& steps, std::chrono::milliseconds time,
                 std::stop_token const& stop, std::function<void()> const& begin,
                 std::function<void()> const& end) {
    measured made;
    std::mutex mutex;
    std::exception_ptr failure;
    std::atomic<bool> failed = false;
    clock::time_point started;
    auto const attempt = [&](auto const& work) {
        try {
            work();
        } catch (...) {
            std::lock_guard const lock{mutex};
            failure = failure ? failure : std::current_exception();
            failed = true;
        }
    };
    // The last one to be warm looks at the server before anybody goes on.
    std::barrier warm{static_cast<std::ptrdiff_t>(steps.size()), [&]() noexcept {
                          attempt(begin);
                          started = clock::now();
                      }};
    auto const run = [&](bench_step const& step) {
        std::size_t jobs = 0;
        std::vector<double> times;
        attempt([&] { static_cast<void>(step()); });
        warm.arrive_and_wait();
        attempt([&] {
            for (auto at = clock::now(); at - started < time && !failed && !stop.stop_requested();) {
                auto const done = step();
                auto const now = clock::now();
                if (done == 0) {
                    break;
                }
                jobs += done;
                times.push_back(std::chrono::duration<double, std::milli>(now - at).count());
                at = now;
            }
        });
        std::lock_guard const lock{mutex};
        made.jobs += jobs;
        made.milliseconds.insert(made.milliseconds.end(), times.begin(), times.end());
    };
    {
        std::vector<std::jthread> threads;
        threads.reserve(steps.size());
        for (auto const& step : steps) {
            threads.emplace_back([&run, &step] { run(step); });
        }
    }
    made.took = clock::now() - started;
    if (failure) {
        std::rethrow_exception(failure);
    }
    end();
    std::ranges::sort(made.milliseconds);
    return made;
}

} // namespace once::command
