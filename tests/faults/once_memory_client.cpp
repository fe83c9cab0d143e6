// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/consumer.hpp>
#include <once/json_lines_publisher.hpp>
#include <once/postgres_publisher.hpp>
#include <once/relay.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <sys/resource.h>

/** @file
 * usage: once_memory_client DSN KIND COUNT MIB
 *
 * Takes COUNT messages of the subscription KIND: relay (they are counted), jsonl (into /dev/null), postgres (into the
 * table target), consumer. Before it begins it limits its address space to what it has when it is connected and idle,
 * and MIB more. Prints how many it has got and by how many MiB its address space has grown. It is a program of its own
 * for that limit.
 */
namespace {

using namespace std::chrono_literals;

/// A line of /proc/self/status, in KiB.
long status(std::string const& name) {
    std::ifstream file{"/proc/self/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + ":")) {
            return std::strtol(line.c_str() + name.size() + 1, nullptr, 10);
        }
    }
    return 0;
}

class counting_publisher final : public once::publisher {
public:
    once::publish_report publish(std::span<once::delivery const> messages,
                                 std::chrono::steady_clock::time_point) override {
        return {.answers = std::vector<once::publish_answer>(messages.size())};
    }
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        return 2;
    }
    std::string const kind = argv[2];
    auto const wanted = static_cast<std::size_t>(std::atoll(argv[3]));
    std::size_t got = 0;
    try {
        once::database db{argv[1]};
        std::unique_ptr<once::publisher> publisher;
        if (kind == "jsonl") {
            publisher = std::make_unique<once::json_lines_publisher>(
                "/dev/null", once::json_lines_options{.flush = once::json_lines_options::durability::none});
        } else if (kind == "postgres") {
            publisher = std::make_unique<once::postgres_publisher>(
                db,
                once::postgres_publisher_options{
                    .consumer = "c",
                    .sql = "insert into target (id, size) select id, length(payload_bytes) from message"});
        } else {
            publisher = std::make_unique<counting_publisher>();
        }
        // The first round of each finds nothing, and makes what it keeps.
        once::relay relay{db, kind == "consumer" ? "idle" : kind, *publisher};
        once::consumer consumer{db, kind == "consumer" ? kind : "idle",
                                [](once::delivery const&, once::transaction&) {}};
        std::function<std::size_t()> const round = [&]() -> std::size_t {
            return kind == "consumer" ? consumer.run_once().handled : relay.run_once().accepted;
        };
        db.check();
        auto const idle = status("VmSize");
        auto const limit = static_cast<rlim_t>(idle + std::atol(argv[4]) * 1024) * 1024;
        rlimit const at{.rlim_cur = limit, .rlim_max = limit};
        if (::setrlimit(RLIMIT_AS, &at) != 0) {
            return 3;
        }
        auto const end = std::chrono::steady_clock::now() + 5min;
        while (got < wanted && std::chrono::steady_clock::now() < end) {
            got += round();
        }
        std::printf("%zu messages, %ld MiB\n", got, (status("VmPeak") - idle) / 1024);
        return got == wanted ? 0 : 1;
    } catch (std::exception const& e) {
        std::printf("%zu messages, then %s\n", got, e.what());
        return 1;
    }
}
