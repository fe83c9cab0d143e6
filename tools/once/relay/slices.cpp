// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/slices.hpp"

#include "queries.hpp"

#include <pqxx/except>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace once::command {

namespace {

bool has_state(pqxx::sql_error const& e, std::string_view state) {
    return std::string_view{e.sqlstate()} == state;
}

int probe(session& db, std::string const& subscription) {
    for (int slice = 0; slice < most_slices; ++slice) {
        try {
            static_cast<void>(db.ask(queries::probe_slice, pqxx::params{subscription, slice}));
        } catch (pqxx::sql_error const& e) {
            if (slice > 0 && has_state(e, "22023")) {
                return slice;
            }
            throw;
        }
    }
    return most_slices;
}

} // namespace

int count_slices(target const& where, std::string const& subscription, std::stop_token const& stop,
                 std::function<void(std::string_view)> const& log) {
    using namespace std::chrono_literals;
    session db{where};
    std::mutex mutex;
    std::condition_variable_any stopped;
    for (bool said = false; !stop.stop_requested();) {
        try {
            return probe(db, subscription);
        } catch (pqxx::sql_error const& e) {
            if (!has_state(e, "ON061")) {
                throw;
            }
            if (!said) {
                log("the subscription is paused or expired");
            }
            said = true;
        }
        std::unique_lock lock{mutex};
        stopped.wait_for(lock, stop, 1s, [] { return false; });
    }
    return 0;
}

} // namespace once::command
