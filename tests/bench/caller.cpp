// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/once.hpp>

#include "peer.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace once::bench {

namespace {

class shop {
public:
    explicit shop(std::string const& dsn) : m_database{dsn, {.max_connections = 1}} { m_database.check(); }

    std::int64_t place_order(std::string const& key) {
        request const asked{
            .scope = "bench", .key = key, .fingerprint = fingerprint{std::string_view{"alice 4200"}}};
        auto const reply = execute(m_database, asked, [&](transaction& tx) -> response {
            auto const id = insert(tx);
            return {.status = 201, .body = nlohmann::json{{"id", id}}};
        });
        return reply.response().body.as()["id"].get<std::int64_t>();
    }

private:
    std::int64_t insert(transaction& tx) {
        if (!m_prepared) { // once per connection, and there is only one
            tx.conn().prepare("order", "insert into orders (customer, cents) values ($1, $2) returning id");
            m_prepared = true;
        }
        return tx.exec(pqxx::prepped{"order"}, pqxx::params{"alice", 4200}).one_field().as<std::int64_t>();
    }

    database m_database;
    bool m_prepared = false;
};

} // namespace

int answer_requests(std::string const& dsn) {
    shop orders{dsn};
    std::puts("ready");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words{line};
        std::string name;
        int count = 0;
        words >> name >> count;
        auto const began = std::chrono::steady_clock::now();
        auto const used = cpu_seconds();
        std::vector<std::int64_t> ids;
        for (int n = 0; n < count; ++n) {
            ids.push_back(orders.place_order(name + "-" + std::to_string(n)));
        }
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
        nlohmann::json const said{{"took", took.count()}, {"cpu", cpu_seconds() - used}, {"ids", ids}};
        std::puts(said.dump().c_str());
        std::fflush(stdout);
    }
    return EXIT_SUCCESS;
}

} // namespace once::bench
