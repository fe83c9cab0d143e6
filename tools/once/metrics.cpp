// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "metrics.hpp"

#include "conninfo.hpp"
#include "exit_status.hpp"
#include "failure.hpp"
#include "http/http_server.hpp"
#include "queries.hpp"
#include "screen.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <ostream>
#include <prometheus/text_serializer.h>
#include <utility>

namespace once::command {

namespace {

// The rows of the view as the library for Prometheus wants them; they come sorted by name.
std::vector<prometheus::MetricFamily> to_families(pqxx::result const& rows) {
    std::vector<prometheus::MetricFamily> made;
    for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
        std::string const name{rows[row][0].view()};
        bool const counts = rows[row][2].view() == "counter";
        if (made.empty() || made.back().name != name) {
            auto& family = made.emplace_back();
            family.name = name;
            family.help = std::string{rows[row][4].view()};
            family.type = counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
        }
        auto& metric = made.back().metric.emplace_back();
        (counts ? metric.counter.value : metric.gauge.value) = rows[row][3].as<double>();
        auto const labels = nlohmann::json::parse(rows[row][1].view());
        for (auto const& [key, value] : labels.items()) {
            metric.label.push_back({key, value.get<std::string>()});
        }
    }
    return made;
}

// Prometheus gives up after 10 seconds; a server that does not answer must not cost more.
void in_short_session(target const& where, std::function<void(pqxx::work&)> const& body) {
    session db{{with_default(with_default(where.conninfo, "connect_timeout", "PGCONNECT_TIMEOUT", "5"),
                             "tcp_user_timeout", nullptr, "8000"),
                where.schema}};
    db.in_transaction([&](pqxx::work& tx) {
        tx.exec(queries::scrape_settings);
        body(tx);
    });
}

} // namespace

scraped scrape(target const& where, std::optional<std::string> const& subscription) {
    scraped made;
    try {
        in_short_session(where, [&](pqxx::work& tx) {
            made.families = to_families(
                subscription ? tx.exec(queries::metrics_of_subscription, pqxx::params{*subscription})
                             : tx.exec(queries::metrics));
        });
        made.up = true;
    } catch (pqxx::sql_error const& e) {
        made.up = is_refused_right(e);
    } catch (std::exception const&) {
        made.up = false;
    }
    return made;
}

bool answers(target const& where) {
    try {
        in_short_session(where, [](pqxx::work&) {});
        return true;
    } catch (std::exception const&) {
        return false;
    }
}

std::string to_text(scraped const& all) {
    auto families = all.families;
    auto& family = families.emplace_back();
    family.name = "once_up";
    family.help = "Whether the database answered.";
    family.type = prometheus::MetricType::Gauge;
    family.metric.emplace_back().gauge.value = all.up ? 1 : 0;
    return prometheus::TextSerializer{}.Serialize(families);
}

http_page late_scrape() {
    return {200, to_text({}), metrics_content_type};
}

int print_metrics(session& db, format how, std::ostream& out) {
    auto const rows = db.ask(queries::metrics);
    if (how == format::json) {
        print_json(out, to_json(rows));
    } else {
        print_raw(out, prometheus::TextSerializer{}.Serialize(to_families(rows)));
    }
    return exit_status::ok;
}

int serve_metrics(target const& where, std::string const& address, std::stop_token stop, std::ostream& out) {
    http_server server{address};
    server.on_slow(
        "/metrics", "all metrics, in the format of Prometheus",
        [&where] { return http_page{200, to_text(scrape(where)), metrics_content_type}; }, longest_scrape,
        late_scrape());
    server.on("/healthz", "200 while this process lives", [] { return http_page{200, "ok\n"}; });
    server.start();
    out << server.url() << "/metrics\n" << std::flush;
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock{mutex};
    stopped.wait(lock, std::move(stop), [] { return false; });
    return exit_status::ok;
}

} // namespace once::command
