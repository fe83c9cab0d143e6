// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/pages.hpp"

#include "metrics.hpp"

namespace once::command {

namespace {

// Kubernetes gives up after a second, unless it is told otherwise.
constexpr std::chrono::milliseconds longest_probe{900};

} // namespace

void add_pages(http_server& server, target const& where, std::string const& subscription,
               relay_numbers const& numbers) {
    server.on_slow(
        "/metrics", "what this relay did, and what the database says of its subscription, for Prometheus",
        [where, subscription, &numbers] {
            auto all = scrape(where, subscription);
            for (auto& family : numbers.families()) {
                all.families.push_back(std::move(family));
            }
            return http_page{200, to_text(all), metrics_content_type};
        },
        longest_scrape, late_scrape());
    server.on("/healthz", "200 while this process lives", [] { return http_page{200, "ok\n"}; });
    server.on_slow("/readyz",
                   "200 when the database answers and the receiver takes messages, else 503 and why",
                   [where, &numbers] {
                       if (!answers(where)) {
                           return http_page{503, "the database does not answer\n"};
                       }
                       auto const now = numbers.sum();
                       if (now.unavailable) {
                           return http_page{503, "the receiver takes nothing: " + *now.unavailable + "\n"};
                       }
                       return now.stuck ? http_page{503, "nothing gets out: " + *now.stuck + "\n"}
                                        : http_page{200, "ok\n"};
                   },
                   longest_probe, {503, "the database has not answered in time\n"});
}

} // namespace once::command
