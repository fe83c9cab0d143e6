// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "tail.hpp"

#include "exit_status.hpp"
#include "printable.hpp"
#include "queries.hpp"
#include "screen.hpp"
#include "times.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <mutex>
#include <ostream>

namespace once::command {

namespace {

void print_message(std::ostream& out, format how, pqxx::result const& rows, pqxx::result::size_type row,
                   nlohmann::ordered_json message, bool payload) {
    if (how == format::json) {
        message.erase("id"); // the place in the log is for the next page
        if (!payload) {
            message.erase("payload");
        }
        out << json_text(message) << '\n';
        return;
    }
    auto const text = [&](int column) {
        return rows[row][column].is_null() ? std::string{"-"} : printable(rows[row][column].view());
    };
    out << painted(out, ink::faint, iso_time(text(0))) << "  " << text(1) << "  " << text(2) << "  "
        << text(3) << "  " << text(4) << "  " << text(5) << " bytes";
    if (payload) {
        out << "  " << text(6);
    }
    out << '\n';
}

} // namespace

int tail(session& db, tail_options const& options, format how, std::stop_token const& stop,
         std::ostream& out) {
    // The bound has to come from a transaction that has ended before the snapshot is taken that it is used with.
    auto bound = db.ask(queries::tail_position)[0][0].as<long long>();
    std::string seen{db.ask(queries::tail_snapshot)[0][0].view()};
    long long shown = 0;
    std::stop_source ending;
    std::stop_callback const asked{stop, [&] { ending.request_stop(); }};
    std::stop_callback const unread{screen_of(out).reader_gone, [&] { ending.request_stop(); }};
    std::mutex mutex;
    std::condition_variable_any waiting;
    while (!ending.stop_requested()) {
        auto const next_bound = db.ask(queries::tail_position)[0][0].as<long long>();
        std::string const now{db.ask(queries::tail_snapshot)[0][0].view()};
        // In pages, so that large messages do not come all at once.
        for (long long place = 0;;) {
            auto const rows =
                db.ask(queries::tail_messages, pqxx::params{seen, now, bound, options.topic, place});
            if (rows.empty()) {
                break;
            }
            auto const messages = to_json(rows);
            for (pqxx::result::size_type row = 0; row < rows.size(); ++row) {
                print_message(out, how, rows, row, messages[static_cast<std::size_t>(row)], options.payload);
                if (++shown == options.limit) {
                    check_output(out);
                    return exit_status::ok;
                }
            }
            place = rows[rows.size() - 1]["id"].as<long long>();
        }
        check_output(out);
        bound = next_bound;
        seen = now;
        std::unique_lock lock{mutex};
        waiting.wait_for(lock, ending.get_token(), options.interval, [] { return false; });
    }
    if (!stop.stop_requested()) {
        throw output_lost(out);
    }
    return exit_status::ok;
}

} // namespace once::command
