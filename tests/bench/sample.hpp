// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/database.hpp"
#include "support/wire_proxy.hpp"
#include "variant.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace once::bench {

/// A database for this run, with the tables of the benchmark.
class testbed {
public:
    testbed();

    [[nodiscard]] std::string const& dsn() const noexcept { return m_database.dsn(); }
    [[nodiscard]] testing::wire_upstream const& upstream() const noexcept { return m_upstream; }
    /// Connection string through a proxy.
    [[nodiscard]] std::string through(testing::wire_proxy const& proxy) const {
        return proxy.dsn(m_database.name(), m_user);
    }

private:
    testing::test_database m_database;
    testing::wire_upstream m_upstream;
    std::string m_user;
};

/// Where the clients are.
struct place {
    /// Behind a wire that takes 1 ms for a round trip, instead of right at the server's socket.
    bool link = false;
    int connections = 1;

    [[nodiscard]] std::string name() const {
        return (link ? "link-" : "socket-") + std::to_string(connections);
    }
    bool operator==(place const&) const = default;
};
inline constexpr std::chrono::milliseconds link_round_trip{1};

struct tally {
    /// Jobs within the sample.
    std::int64_t jobs = 0;
    /// All jobs, those before the clock started included.
    std::int64_t jobs_in_all = 0;
    double seconds = 0;
    [[nodiscard]] double rate() const noexcept { return static_cast<double>(jobs) / seconds; }
};

/// Lets `connections` threads do the job of the variant, each on a connection of its own, for this long.
/**
 * Each does some jobs before the clock starts, so that statements are prepared and plans are generic by then.
 * @throws what a worker throws: a job that was not done is no result
 */
[[nodiscard]] tally sample(variant const& variant, std::string const& dsn, int connections,
                           std::chrono::duration<double> time, std::uint64_t seed);

/// The same at a place: with a proxy of its own where there is a link.
[[nodiscard]] tally sample_at(place const& where, variant const& variant, testbed const& bed,
                              std::chrono::duration<double> time, std::uint64_t seed);

/// Exactly so many jobs, one after the other.
void run_jobs(worker& worker, int jobs, std::uint64_t seed);

[[nodiscard]] double median(std::vector<double> values);

} // namespace once::bench
