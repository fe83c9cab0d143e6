// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bench/scratch_schema.hpp"

#include "migrate.hpp"
#include "queries.hpp"

#include <iostream>
#include <random>
#include <sstream>
#include <unistd.h>

namespace once::command {

std::string scratch_schema::make_name() {
    return "once_bench_" + std::to_string(::getpid()) + "_" +
           std::to_string(std::random_device{}() % 100'000);
}

scratch_schema::scratch_schema(target const& where) : m_where{where} {
    {
        session db{m_where};
        // Not "if not exists": one that is there belongs to others.
        db.in_transaction([&](pqxx::work& tx) { tx.exec("create schema " + tx.quote_name(m_where.schema)); });
    }
    try {
        session db{m_where};
        std::ostringstream unread;
        migrate_up(db, {}, unread);
    } catch (...) {
        remove();
        throw;
    }
}

scratch_schema::~scratch_schema() {
    remove();
}

void scratch_schema::remove() const {
    try {
        session db{m_where};
        std::ostringstream unread;
        // The reverse migrations, and not only DROP SCHEMA, because the group roles live outside of it.
        migrate_down(db, {.to = 0, .dry_run = false, .yes = true}, unread);
        db.in_transaction(
            [&](pqxx::work& tx) { tx.exec("drop schema " + tx.quote_name(m_where.schema) + " cascade"); });
    } catch (std::exception const& e) {
        std::cerr << "once: the schema " << m_where.schema << " stays behind: " << e.what()
                  << "\nremove it: once -s " << m_where.schema
                  << " migrate down --to 0 --yes, then drop schema " << m_where.schema << " cascade\n";
    }
}

} // namespace once::command
