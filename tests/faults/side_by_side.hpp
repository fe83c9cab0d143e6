// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace once::testing {

/// Does the pieces of work 0 to `count` - 1 in four threads, since most of each is waiting.
/**
 * @param make_worker called once in each thread; what it returns is called with the number of each piece of work, and
 *                    returns complaints
 * @return all complaints
 */
template <class MakeWorker>
std::string side_by_side(std::size_t count, MakeWorker const& make_worker) {
    std::mutex mutex;
    std::string complaints;
    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            auto work = make_worker();
            for (auto number = next++; number < count; number = next++) {
                std::string made;
                try {
                    made = work(number);
                } catch (std::exception const& e) {
                    made = e.what() + std::string{"\n"};
                }
                std::lock_guard const lock{mutex};
                complaints += made;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    return complaints;
}

} // namespace once::testing
