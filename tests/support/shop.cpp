// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "support/shop.hpp"

#include <pqxx/transaction>

namespace once::testing {

shop_database::shop_database() {
    pqxx::connection connection{dsn()};
    pqxx::work tx{connection};
    tx.exec(R"sql(
        create schema shop;
        create table shop.orders (
            id        bigint      generated always as identity primary key,
            number    text        not null unique,
            customer  text        not null,
            note      text        unique,
            placed_at timestamptz not null default now(),
            version   bigint      not null default 1
        );
        create table shop.votes (
            id     bigint  generated always as identity primary key,
            poll   integer not null,
            voter  text    not null,
            choice text    not null,
            unique (voter, poll)
        );
        create table shop.counters (
            name    text   primary key,
            value   bigint not null,
            version bigint not null
        )
    )sql");
    tx.commit();
}

} // namespace once::testing
