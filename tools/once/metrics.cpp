// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "exit_status.hpp"
#include "look.hpp"
#include "queries.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <ostream>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <vector>

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

// Asks the database at each scrape. What it cannot reach it says by once_up.
class database_metrics final : public prometheus::Collectable {
public:
    explicit database_metrics(target where) : m_where{std::move(where)} {}

    std::vector<prometheus::MetricFamily> Collect() const override {
        std::lock_guard const lock{m_mutex};
        std::vector<prometheus::MetricFamily> made;
        bool up = false;
        try {
            if (!m_session) {
                m_session = std::make_unique<session>(m_where);
            }
            made = to_families(m_session->ask(queries::metrics));
            up = true;
        } catch (std::exception const&) {
            m_session.reset(); // connect again at the next scrape
        }
        auto& family = made.emplace_back();
        family.name = "once_up";
        family.help = "Whether the database answered.";
        family.type = prometheus::MetricType::Gauge;
        family.metric.emplace_back().gauge.value = up ? 1 : 0;
        return made;
    }

private:
    target m_where;
    mutable std::mutex m_mutex;
    mutable std::unique_ptr<session> m_session;
};

} // namespace

int print_metrics(session& db, format how, std::ostream& out) {
    auto const rows = db.ask(queries::metrics);
    if (how == format::json) {
        out << to_json(rows).dump(2) << '\n';
    } else {
        out << prometheus::TextSerializer{}.Serialize(to_families(rows));
    }
    return exit_status::ok;
}

int serve_metrics(target const& where, std::string const& address, std::stop_token stop, std::ostream& out) {
    auto const source = std::make_shared<database_metrics>(where);
    prometheus::Exposer exposer{address, 1};
    exposer.RegisterCollectable(source, "/metrics");
    out << "http://" << address.substr(0, address.rfind(':')) << ':' << exposer.GetListeningPorts().front()
        << "/metrics\n"
        << std::flush;
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock{mutex};
    stopped.wait(lock, stop, [] { return false; });
    return exit_status::ok;
}

} // namespace once::command
