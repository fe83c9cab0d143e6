// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "form_key.hpp"

#include <once/execute.hpp>

#include "random_text.hpp"

#include <pqxx/pqxx>

namespace shop {

std::string issue_form_key(once::database& db, visitor who) {
    auto key = random_text();
    once::transact(db, [&](once::transaction& tx) {
        tx.exec("insert into web_shop.form (key, visitor) values ($1, $2)", pqxx::params{key, who.id});
    });
    return key;
}

bool is_form_key_of(once::transaction& tx, std::string const& key, visitor who) {
    return tx.query_value<bool>("select exists (select from web_shop.form where key = $1 and visitor = $2)",
                                pqxx::params{key, who.id});
}

} // namespace shop
