// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "../../examples/redis_server.hpp"
#include "program.hpp"
#include "sample.hpp"
#include "support/seed.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

/** @file
 * usage: once_bench_tokens [--smoke | ROUNDS SECONDS]
 *
 * What tokens and leases cost, beside the same protocol for tokens on a real Redis (SET EX; GET, compare and DEL in a
 * script), each with what an answer survives. Redis does only half of the job: what is done with a token there is not
 * in the same transaction, and a repeat gets an error instead of the stored response.
 */
namespace {

using namespace once;
using namespace once::bench;
using namespace std::chrono_literals;

token_terms const terms{.principal = "alice", .purpose = "pay", .lifetime = 1h};

void require(bool fine, char const* what) {
    if (!fine) {
        throw std::runtime_error{what};
    }
}

/// A worker that is a function.
template <class Job>
class job_worker final : public worker {
public:
    explicit job_worker(Job job) : m_job{std::move(job)} {}
    void run(key_source& keys) override { m_job(keys); }

private:
    Job m_job;
};

template <class Job>
std::unique_ptr<worker> as_worker(Job job) {
    return std::make_unique<job_worker<Job>>(std::move(job));
}

auto open(std::string const& dsn) {
    return std::make_shared<database>(dsn, database_options{.max_connections = 1});
}

/// Tokens to redeem, issued before the clock runs; more only when they run out.
template <class Issue>
class stock {
public:
    explicit stock(Issue issue) : m_issue{std::move(issue)}, m_tokens{m_issue()} {}
    std::string next() {
        if (m_tokens.empty()) {
            m_tokens = m_issue();
        }
        auto token = std::move(m_tokens.back());
        m_tokens.pop_back();
        return token;
    }

private:
    Issue m_issue;
    std::vector<std::string> m_tokens;
};

bool smoke = false;
std::size_t stock_size() {
    return smoke ? 100 : 10'000;
}

std::unique_ptr<worker> issue_worker(std::string const& dsn, std::size_t count) {
    return as_worker([db = open(dsn), count](key_source&) {
        require(issue_tokens(*db, terms, count).size() == count, "tokens are missing");
    });
}

std::unique_ptr<worker> redeem_worker(std::string const& dsn, bool one_trip) {
    auto db = open(dsn);
    stock tokens{[db] { return issue_tokens(*db, terms, stock_size()); }};
    return as_worker([db, tokens, one_trip](key_source&) mutable {
        redemption const given{
            .token = tokens.next(), .principal = "alice", .purpose = "pay", .fingerprint = no_fingerprint};
        auto const reply = [&] {
            if (one_trip) {
                return execute(*db, given, {{"select 'paid' as answer"}}, 201);
            }
            return execute(*db, given, [](transaction&) { return response{.status = 201}; });
        }();
        require(reply.done(), "a good token was not redeemed");
    });
}

std::unique_ptr<worker> refuse_worker(std::string const& dsn) {
    return as_worker([db = open(dsn)](key_source& keys) {
        redemption const given{
            .token = keys.next(), .principal = "alice", .purpose = "pay", .fingerprint = no_fingerprint};
        require(execute(*db, given, [](transaction&) {}).refused(), "a bad token was redeemed");
    });
}

std::unique_ptr<worker> lease_worker(std::string const& dsn) {
    return as_worker([db = open(dsn)](key_source& keys) {
        auto result = acquire(*db, keys.next(), 1min);
        require(std::get<lease>(result).release(), "a lease was lost");
    });
}

std::unique_ptr<worker> renew_worker(std::string const& dsn) {
    auto db = open(dsn);
    static std::atomic<int> number = 0;
    auto mine =
        std::make_shared<lease>(std::get<lease>(acquire(*db, "renewed " + std::to_string(++number), 10min)));
    return as_worker([db, mine](key_source&) { require(mine->renew(), "a lease was lost"); });
}

std::unique_ptr<worker> guarded_worker(std::string const& dsn) {
    auto db = open(dsn);
    static std::atomic<int> number = 0;
    auto mine =
        std::make_shared<lease>(std::get<lease>(acquire(*db, "guards " + std::to_string(++number), 10min)));
    return as_worker([db, mine](key_source& keys) {
        require(execute(*db, {.scope = "bench", .key = keys.next(), .fingerprint = once::no_fingerprint},
                        [](transaction&) {}, {.fence = mine->fence()})
                    .done(),
                "a lease was lost");
    });
}

std::unique_ptr<worker> unguarded_worker(std::string const& dsn) {
    return as_worker([db = open(dsn)](key_source& keys) {
        require(execute(*db, {.scope = "bench", .key = keys.next(), .fingerprint = once::no_fingerprint},
                        [](transaction&) {})
                    .done(),
                "a new key did not start");
    });
}

// The key of a token in Redis is what its hash is in our table.
std::vector<std::string> redis_set(std::string const& token) {
    return {"SET", "token:" + token, "alice pay", "EX", "3600"};
}

std::unique_ptr<worker> redis_issue_worker(std::string const& socket) {
    auto redis = std::make_shared<redis_connection>(socket);
    return as_worker(
        [redis](key_source& keys) { require(redis->command(redis_set(keys.next())) == "OK", "SET failed"); });
}

std::unique_ptr<worker> redis_redeem_worker(std::string const& socket) {
    auto redis = std::make_shared<redis_connection>(socket);
    auto const script = redis->command(
        {"SCRIPT", "LOAD",
         "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"});
    static std::atomic<std::uint64_t> seed = 1;
    auto keys = std::make_shared<key_source>(++seed);
    stock tokens{[redis, keys] {
        std::vector<std::string> made(stock_size());
        std::vector<std::vector<std::string>> commands;
        for (auto& token : made) {
            token = keys->next();
            commands.push_back(redis_set(token));
        }
        redis->pipeline(commands);
        return made;
    }};
    return as_worker([redis, script, tokens](key_source&) mutable {
        require(redis->command({"EVALSHA", script, "1", "token:" + tokens.next(), "alice pay"}) == "1",
                "a good token was not redeemed");
    });
}

struct line {
    variant what{};
    std::string dsn{};
    std::string survives{};
    int operations = 1;
};

std::vector<line> lines(testbed const& bed, std::vector<std::unique_ptr<redis_server>>& servers) {
    std::string const all = "a crash of the machine";
    std::vector<line> made{
        {{"issue", 1, {}, [](auto& dsn) { return issue_worker(dsn, 1); }, ""}, bed.dsn(), all},
        {{"issue 100 at once", 1, {}, [](auto& dsn) { return issue_worker(dsn, 100); }, ""},
         bed.dsn(),
         all,
         100},
        {{"redeem", 2, {}, [](auto& dsn) { return redeem_worker(dsn, false); }, ""}, bed.dsn(), all},
        {{"redeem, one round trip", 1, {}, [](auto& dsn) { return redeem_worker(dsn, true); }, ""},
         bed.dsn(),
         all},
        {{"refuse", 2, {}, refuse_worker, ""}, bed.dsn(), "nothing to lose"},
        {{"acquire and release a lease", 2, {}, lease_worker, ""}, bed.dsn(), all},
        {{"renew a lease", 1, {}, renew_worker, ""}, bed.dsn(), all},
        {{"execute", 2, {}, unguarded_worker, ""}, bed.dsn(), all},
        {{"execute under a lease", 2, {}, guarded_worker, ""}, bed.dsn(), all},
    };
    struct kind {
        char const* name;
        std::vector<std::string> options;
        char const* survives;
    };
    static kind const kinds[] = {
        {"no file", {}, "nothing: in memory only"},
        {"fsync each second",
         {"--appendonly", "yes", "--appendfsync", "everysec"},
         "all but the last second"},
        {"fsync always", {"--appendonly", "yes", "--appendfsync", "always"}, "a crash of the machine"},
    };
    for (auto const& kind : kinds) {
        auto server = redis_server::start(kind.options);
        if (!server) {
            std::puts("LEFT OUT: redis-server is not installed, so there is nothing to compare with");
            break;
        }
        static std::vector<std::string> names; // variants hold views
        names.reserve(8);
        for (auto const* const job : {"issue", "redeem"}) {
            names.push_back(std::string{"Redis, "} + kind.name + ": " + job);
            line one{.what = {.name = names.back(), .round_trips = 1},
                     .dsn = server->socket(),
                     .survives = kind.survives};
            one.what.connect = job == std::string_view{"issue"} ? redis_issue_worker : redis_redeem_worker;
            made.push_back(std::move(one));
        }
        servers.push_back(std::move(server));
    }
    return made;
}

void measure(int rounds, std::chrono::duration<double> time) {
    auto seed = testing::seed();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    testbed const bed;
    std::vector<std::unique_ptr<redis_server>> servers;
    auto const all = lines(bed, servers);
    std::vector<int> const crews = smoke ? std::vector{2} : std::vector{1, 8};
    std::printf(
        "fsync %s, synchronous_commit %s, PostgreSQL %s; operations per second, medians of %d rounds\n\n",
        ask(bed.dsn(), "show fsync").c_str(), ask(bed.dsn(), "show synchronous_commit").c_str(),
        ask(bed.dsn(), "show server_version").c_str(), rounds);
    std::vector<std::vector<std::vector<double>>> rates(all.size(),
                                                        std::vector<std::vector<double>>(crews.size()));
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto const at = round % 2 == 0 ? i : all.size() - 1 - i;
            for (std::size_t crew = 0; crew < crews.size(); ++crew) {
                auto const done = sample(all[at].what, all[at].dsn, crews[crew], time, seed += 1000);
                require(done.jobs > 0, "no job was done");
                rates[at][crew].push_back(done.rate() * all[at].operations);
            }
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::printf("%-34s", std::string{all[i].what.name}.c_str());
        for (auto const& crew : rates[i]) {
            std::printf(" %9.0f", median(crew));
        }
        std::printf("   survives %s\n", all[i].survives.c_str());
    }
}

} // namespace

int main(int count, char** words) {
    return run_program("once_bench_tokens", [&] {
        if (!has_server("tests/bench/run --tokens")) {
            return skipped;
        }
        std::vector<std::string> const given{words, words + count};
        smoke = count == 2 && given[1] == "--smoke";
        if (smoke) {
            measure(1, 50ms);
        } else {
            measure(count > 1 ? std::stoi(given[1]) : 5,
                    std::chrono::duration<double>{count > 2 ? std::stod(given[2]) : 1.0});
        }
        return EXIT_SUCCESS;
    });
}
