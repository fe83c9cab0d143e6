// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/execute.hpp>
#include <once/operation.hpp>
#include <once/operation_worker.hpp>

#include "support/effects.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace once::testing {

/// A receiver outside of the database: counts calls, and carries out those with a new key.
class fake_provider {
public:
    /// @return the number of the charge, the same for every call with one key
    int charge(std::string const& key) {
        std::lock_guard const lock{m_mutex};
        ++m_calls;
        for (std::size_t i = 0; i < m_keys.size(); ++i) {
            if (m_keys[i] == key) {
                return static_cast<int>(i);
            }
        }
        m_keys.push_back(key);
        return static_cast<int>(m_keys.size()) - 1;
    }
    [[nodiscard]] int calls() const {
        std::lock_guard const lock{m_mutex};
        return m_calls;
    }
    [[nodiscard]] int charges() const {
        std::lock_guard const lock{m_mutex};
        return static_cast<int>(m_keys.size());
    }

private:
    mutable std::mutex m_mutex;
    std::vector<std::string> m_keys;
    int m_calls = 0;
};

/// The database of a test with operations.
class operations_database : public effects_database {
public:
    /// Ends the leases of all operations, as time would.
    void end_leases() const {
        run("update once.operation set lease_until = clock_timestamp() where state = 'running'");
    }
    using effects_database::effects;
    [[nodiscard]] std::string state() const { return ask("select state from once.operation_readable"); }
    [[nodiscard]] std::string column(std::string const& name) const {
        return ask("select " + name + " from once.operation");
    }
    [[nodiscard]] int effects(std::string const& what) const {
        return std::stoi(ask("select count(*) from effect where what = '" + what + "'"));
    }
};

/// reserve, charge, confirm; `during` runs in the middle of the call.
[[nodiscard]] inline operation booking(
    effect how, fake_provider& provider,
    std::function<void(running_operation&)> during = [](running_operation&) {},
    operation_options options = {.retry_after = std::chrono::milliseconds{0}}) {
    auto const call = [&provider, during = std::move(during)](running_operation& op) {
        op.data()["charge"] = provider.charge(op.call_key());
        during(op);
    };
    return {"book",
            {in_database("reserve",
                         [](transaction& tx, running_operation& op) {
                             add_effect(tx, "reserve");
                             op.data()["reserved"] = true;
                         }),
             how == effect::at_most_once ? at_most_once("charge", call) : idempotent_remote("charge", call),
             in_database("confirm",
                         [](transaction& tx, running_operation& op) -> response {
                             add_effect(tx, "confirm");
                             return {.status = 201,
                                     .headers = {{"Location", "/orders/17"}},
                                     .body = nlohmann::json{{"charge", op.data().at("charge")},
                                                            {"at", tx.query_value<std::string>(
                                                                       "select clock_timestamp()::text")}}};
                         })},
            std::move(options)};
}

} // namespace once::testing
