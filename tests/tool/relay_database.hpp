// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "command.hpp"
#include "support/database.hpp"

#include <set>
#include <string>

namespace once::testing {

/// A database with the subscription `s`, and messages for it.
class relay_database : public command_database<test_database> {
public:
    explicit relay_database(int slices = 1) {
        sql("select once.subscribe('s', p_slices => " + std::to_string(slices) +
            ", p_backoff_base => '1 millisecond', p_backoff_cap => '20 milliseconds')");
    }

    /// `count` messages of seven keys; the payload holds key and a number that grows.
    void publish(int count) {
        sql("select count(once.publish('t', 'k' || i % 7, format('{\"key\":\"k%s\",\"n\":%s}', i % 7, "
            "i)::json, p_content_type => 'application/json')) "
            "from generate_series(" +
            std::to_string(m_published + 1) + ", " + std::to_string(m_published + count) + ") as i");
        m_published += count;
    }

    [[nodiscard]] std::set<std::string> ids() const {
        std::set<std::string> made;
        for (auto const& row : sql("select message_id from once.outbox")) {
            made.emplace(row[0].c_str());
        }
        return made;
    }
    [[nodiscard]] bool lease_is_free() const {
        return ask("select count(*) from once.lease where released_at is null") == "0";
    }
    /// Everything was accepted and acknowledged. With one slice.
    [[nodiscard]] bool all_through() const {
        return ask("select (select count(*) from once.parked_message) + (select count(*) from once.outbox as "
                   "o where not "
                   "once.is_passed((select c from once.newest_checkpoints() as c), o.txid, o.id))") == "0";
    }
    /// ONCE_DATABASE=...
    [[nodiscard]] std::string variable() const { return "ONCE_DATABASE=" + dsn(); }

private:
    int m_published = 0;
};

} // namespace once::testing
