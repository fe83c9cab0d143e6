// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"
#include "daemon.hpp"
#include "interruption.hpp"
#include "play.hpp"
#include "sabotage.hpp"

#include <cstdlib>
#include <exception>
#include <iostream>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr char const* usage = R"(usage: order_service [--seed N] [--seconds N] [--break WHAT]

Plays an order service on the PostgreSQL server that ONCE_TEST_DSN names: in a database of its own, which is removed
in the end. examples/demo builds it and starts a server for it.

--seed N     random choices as in another run
--seconds N  how long, 3 to 600 (default 10)
--break WHAT do it wrong on purpose, so that the checks at the end must fail: some of key, twice,
             repeat, loss and order, separated by commas
)";

constexpr int failed = 1;
constexpr int wrong_usage = 2;
constexpr int skipped = 4; // for ctest

int run_as_client(std::span<std::string const> words) {
    demo::client_task const task{
        .kind = words[0],
        .name = words[1],
        .dsn = words[2],
        .seed = std::stoull(words[3]),
        .first = std::stoi(words[4]),
        .at_least = std::stoi(words[5]),
        .until =
            std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{std::stoll(words[6])}},
        .numbers = {words.begin() + 7, words.end()}};
    return demo::run_client(task);
}

int run_as_daemon(std::span<std::string const> words) {
    return demo::run_daemon({.kind = words[0],
                             .name = words[1],
                             .dsn = words[2],
                             .seed = std::stoull(words[3]),
                             .port = static_cast<std::uint16_t>(std::stoul(words[4]))});
}

int run(std::vector<std::string> const& words) {
    if (words.size() >= 8 && words[0] == "client") {
        return run_as_client(std::span{words}.subspan(1));
    }
    if (words.size() == 6 && words[0] == "daemon") {
        return run_as_daemon(std::span{words}.subspan(1));
    }
    demo::play_options options;
    options.seed = std::random_device{}();
    if (char const* const dsn = std::getenv("ONCE_TEST_DSN")) {
        options.server_dsn = dsn;
    }
    for (std::size_t i = 0; i < words.size(); ++i) {
        bool const has_value = i + 1 < words.size();
        if (words[i] == "--seed" && has_value) {
            options.seed = std::stoull(words[++i]);
        } else if (words[i] == "--seconds" && has_value) {
            options.length = std::chrono::seconds{std::stoi(words[++i])};
        } else if (words[i] == "--break" && has_value) {
            demo::sabotage(words[++i]);
        } else {
            bool const asked = words[i] == "--help" || words[i] == "-h";
            (asked ? std::cout : std::cerr) << usage;
            return asked ? 0 : wrong_usage;
        }
    }
    if (options.server_dsn.empty()) {
        std::cerr << "order_service: ONCE_TEST_DSN is not set; examples/demo starts a server and sets it\n";
        return skipped;
    }
    if (options.length < std::chrono::seconds{3} || options.length > std::chrono::seconds{600}) {
        std::cerr << usage;
        return wrong_usage;
    }
    demo::remember_interruptions();
    return demo::play(options);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (demo::interrupted const& e) {
        std::cerr << "\norder_service: interrupted\n";
        return e.exit_code();
    } catch (std::invalid_argument const& e) {
        std::cerr << "order_service: " << e.what() << '\n' << usage;
        return wrong_usage;
    } catch (std::exception const& e) {
        std::cerr << "order_service: " << e.what() << '\n';
        return failed;
    }
}
