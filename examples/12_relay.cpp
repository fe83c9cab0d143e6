// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// A relay hands the messages of a subscription to a publisher: here to a file of JSON lines.
#include <once/once.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <unistd.h>

int main(int argc, char** argv) try {
    once::database db{argc > 1 ? argv[1] : ""};
    auto const file =
        std::filesystem::temp_directory_path() / ("once_12_" + std::to_string(::getpid()) + ".jsonl");

    once::transact(db, [](once::transaction& tx) {
        once::subscribe(tx, "example-to-file", {.topics = {"example.orders.*"}});
    }).expect_committed();
    auto const place = [&](std::string const& key, std::string const& number) {
        return once::execute(db,
                             {.scope = "POST /orders", .key = key, .fingerprint = once::fingerprint{number}},
                             [&](once::transaction& tx) -> once::response {
                                 tx.publish({.topic = "example.orders.placed",
                                             .key = number,
                                             .payload = nlohmann::json{{"number", number}}});
                                 return {.status = 201};
                             });
    };
    place("click-1", "A-17");
    place("click-1", "A-17"); // a repeat stages nothing
    place("click-2", "A-18");

    // [region: relay]
    once::json_lines_publisher publisher{file.string()};
    once::relay relay{db, "example-to-file", publisher};
    auto const summary = relay.run_once(); // a service calls run(stop_token) in a thread of its own
    std::cout << summary.accepted << " messages\n";
    // [endregion]

    int lines = 0;
    std::ifstream in{file};
    for (std::string line; std::getline(in, line); ++lines) {
        auto const message = nlohmann::json::parse(line);
        std::cout << message["topic"] << ' ' << message["key"] << ' ' << message["payload"] << '\n';
    }
    std::filesystem::remove(file);
    return summary.accepted == 2 && lines == 2 && relay.run_once().idle() ? 0 : 1;
} catch (std::exception const& e) {
    std::cerr << e.what() << '\n';
    return 1;
}
