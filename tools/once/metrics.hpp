// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "http/http_server.hpp"
#include "output.hpp"
#include "session.hpp"

#include <chrono>
#include <iosfwd>
#include <optional>
#include <prometheus/metric_family.h>
#include <stop_token>
#include <string>
#include <vector>

namespace once::command {

/// `metrics`: all metrics once, in the text format of Prometheus, or as JSON.
int print_metrics(session& db, format how, std::ostream& out);

/// `metrics --listen`: serves them at http://ADDRESS/metrics until it is asked to stop.
/**
 * It connects for each scrape and disconnects behind it, so it needs no database to start and holds no session.
 * @param address host:port, for example 127.0.0.1:9187; port 0 takes a free one, which is printed
 */
int serve_metrics(target const& where, std::string const& address, std::stop_token stop, std::ostream& out);

/// What a scrape of the database came to.
struct scraped {
    std::vector<prometheus::MetricFamily> families;
    /// The database answered, though it may have refused to show the view to this role.
    bool up = false;
};

/// Connects, reads the view `metrics`, disconnects. Never throws for what the database says: that is once_up.
/// @param subscription only what is known of this subscription of the service that is connected
[[nodiscard]] scraped scrape(target const& where, std::optional<std::string> const& subscription = {});

/// Whether the database can be connected to and answers.
[[nodiscard]] bool answers(target const& where);

/// The families and once_up in the text format of Prometheus.
[[nodiscard]] std::string to_text(scraped const& all);

/// Prometheus gives up after ten seconds.
inline constexpr std::chrono::milliseconds longest_scrape{9'500};
/// What it gets of a scrape that takes longer: once_up 0.
[[nodiscard]] http_page late_scrape();

/// Its media type.
inline constexpr char const* metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

} // namespace once::command
