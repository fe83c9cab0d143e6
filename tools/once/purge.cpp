// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "purge.hpp"

#include "exit_status.hpp"
#include "failure.hpp"
#include "queries.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <algorithm>
#include <array>
#include <ostream>

namespace once::command {

namespace {

// What one statement of a job removes: a name for machines, a text for people.
struct count {
    char const* name;
    char const* text;
};

struct job {
    char const* name;
    char const* sql;
    /// One for each column of its answer.
    std::vector<count> counts;
    /// The interval that it takes; null: none.
    std::string purge_options::* age = nullptr;
};

// The outbox goes last: it empties slots, and readers wait for that.
std::array<job, 7> const& jobs() {
    static std::array<job, 7> const all{{
        {"records", queries::purge_records, {{"records", "expired records"}}},
        {"inbox", queries::purge_inbox, {{"inbox", "inbox entries"}}},
        {"operations", queries::purge_operations, {{"operations", "operations"}}},
        {"windows", queries::purge_windows, {{"windows", "request windows"}}},
        {"tokens", queries::purge_tokens, {{"tokens", "expired tokens"}}},
        {"leases", queries::purge_leases, {{"leases", "unused leases"}}, &purge_options::unused},
        {"outbox",
         queries::trim_outbox,
         {{"messages", "messages"},
          {"ids", "message ids"},
          {"checkpoints", "old checkpoints"},
          {"slots", "full slots of the outbox"},
          {"expired_subscriptions", "subscriptions that expired"}},
         &purge_options::keep},
    }};
    return all;
}

// What a statement removes by the batch: as long as one is full there may be more.
bool is_bounded(std::string_view name) {
    return name != "slots" && name != "expired_subscriptions";
}

using sums = nlohmann::ordered_json;

void run_job(session& db, job const& one, purge_options const& options, std::stop_token const& stop,
             sums& sum) {
    pqxx::params values{options.batch};
    if (one.age != nullptr) {
        values.append(options.*one.age);
    }
    for (bool more = true; more && !stop.stop_requested();) {
        auto const row = db.ask(one.sql, values);
        more = false;
        for (std::size_t i = 0; i < one.counts.size(); ++i) {
            auto const removed = row[0][static_cast<pqxx::row::size_type>(i)].as<long long>();
            auto& to = sum[one.counts[i].name];
            to = to.get<long long>() + removed;
            // Checkpoints are bounded for each slice, so one that is not full can still be followed by more.
            more = more || (is_bounded(one.counts[i].name) && removed >= options.batch);
        }
    }
}

bool is_wanted(job const& one, purge_options const& options) {
    return options.only.empty() || std::ranges::find(options.only, one.name) != options.only.end();
}

} // namespace

std::vector<std::string> purge_jobs() {
    std::vector<std::string> made;
    for (auto const& one : jobs()) {
        made.emplace_back(one.name);
    }
    return made;
}

int purge(session& db, purge_options const& options, format how, std::stop_token const& stop,
          std::ostream& out) {
    sums sum = sums::object();
    std::string failures;
    for (auto const& one : jobs()) {
        if (!is_wanted(one, options) || stop.stop_requested()) {
            continue;
        }
        for (auto const& each : one.counts) {
            sum[each.name] = 0LL;
        }
        try {
            run_job(db, one, options, stop, sum);
        } catch (pqxx::sql_error const& e) {
            failures += (failures.empty() ? "" : "\n") + std::string{one.name} + ": " +
                        explained(e, db, "administrator").what();
        }
    }
    if (how == format::json) {
        out << json_text(sum) << '\n';
    } else {
        std::string line = "removed ";
        for (auto const& one : jobs()) {
            for (auto const& each : one.counts) {
                if (sum.contains(each.name)) {
                    line += (line == "removed " ? "" : ", ") + sum[each.name].dump() + " " + each.text;
                }
            }
        }
        out << line << (stop.stop_requested() ? "; stopped before the end" : "") << '\n';
    }
    if (!failures.empty()) {
        throw std::runtime_error{"some jobs failed; what the others removed is gone\n" + failures};
    }
    return stop.stop_requested() ? exit_status::found : exit_status::ok;
}

} // namespace once::command
