// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "peer.hpp"

#include "program.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

/** @file
 * The part of once in tests/bench/peers, which compares it with what others take.
 */
namespace once::bench {

double cpu_seconds() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

} // namespace once::bench

int main(int count, char** words) {
    using namespace once::bench;
    return run_program("once_bench_peer", [&] {
        if ((count == 6 || count == 7) && std::string{words[1]} == "read") {
            std::optional<std::chrono::milliseconds> gather;
            if (count == 7) {
                gather.emplace(std::stoi(words[6]));
            }
            return read_messages(words[2], words[3], std::stoul(words[4]), std::stoi(words[5]), gather);
        }
        if (count == 3 && std::string{words[1]} == "call") {
            return answer_requests(words[2]);
        }
        std::fputs("usage: once_bench_peer read DSN SUBSCRIPTION TOTAL BATCH [GATHER_MS]\n"
                   "       once_bench_peer call DSN\n",
                   stderr);
        return EXIT_FAILURE;
    });
}
