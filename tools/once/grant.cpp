// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "grant.hpp"

#include "exit_status.hpp"
#include "printable.hpp"
#include "queries.hpp"
#include "screen.hpp"

#include <ostream>

namespace once::command {

namespace {

std::string statements(session& db, grant_options const& options) {
    auto& connection = db.connection();
    auto const role = connection.quote_name(options.role);
    std::string groups;
    for (auto const& kind : options.kinds) {
        auto const group = db.where().schema + "_" + kind;
        auto const there = db.ask(queries::membership, pqxx::params{options.role, group})[0];
        if (!there[0].as<bool>()) {
            throw not_found{"there is no role \"" + options.role + "\": create role " + role + " login"};
        }
        if (!there[1].as<bool>()) {
            throw not_found{"there is no role \"" + group +
                            "\": the migrations of the schema make it, see once migrate status"};
        }
        groups += (groups.empty() ? "" : ", ") + connection.quote_name(group);
    }
    auto made = "grant " + groups + " to " + role + ";\n";
    if (options.service) {
        made += "insert into " + connection.quote_name(db.where().schema) +
                ".service_role (role, service) values (" + connection.quote(options.role) + ", " +
                connection.quote(*options.service) +
                ") on conflict (role) do update set service = excluded.service;\n";
    }
    return made;
}

} // namespace

int grant(session& db, grant_options const& options, format how, std::ostream& out) {
    auto const sql = statements(db, options);
    if (options.apply) {
        db.in_transaction([&](pqxx::work& tx) { tx.exec(sql); });
    }
    if (how == format::json) {
        print_json(out, {{"sql", sql}, {"applied", options.apply}});
        return exit_status::ok;
    }
    print_raw(out, sql);
    if (options.apply) {
        out << "-- done\n";
    }
    return exit_status::ok;
}

} // namespace once::command
