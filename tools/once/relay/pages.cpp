// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/pages.hpp"

#include "metrics.hpp"

namespace once::command {

void add_pages(http_server& server, target const& where, std::string const& subscription,
               relay_numbers const& numbers) {
    server.on("/metrics", [where, subscription, &numbers] {
        auto all = scrape(where, subscription);
        for (auto& family : numbers.families()) {
            all.families.push_back(std::move(family));
        }
        return http_page{200, to_text(all), metrics_content_type};
    });
    server.on("/healthz", [] { return http_page{200, "ok\n"}; });
    server.on("/readyz", [where, &numbers] {
        if (!answers(where)) {
            return http_page{503, "the database does not answer\n"};
        }
        auto const why = numbers.sum().unavailable;
        return why ? http_page{503, "the receiver takes nothing: " + *why + "\n"} : http_page{200, "ok\n"};
    });
}

} // namespace once::command
