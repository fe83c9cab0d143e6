// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/effects.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <string>
#include <utility>
#include <vector>

/** @file
 * Calls of every function of the schema that a role may call, made from the catalog: a new function is in these tests
 * before anybody thinks of it.
 */
namespace once::testing {

/// Makes the schema `probe`, which writes calls. To be run as a superuser.
constexpr auto make_probe = R"sql(
create schema probe;
-- A value that an argument of this name and type takes, as an expression.
create function probe.value_of(p_name text, p_type text) returns text language sql as $$
    select case
        when p_name in ('p_scope', 'p_key', 'p_consumer', 'p_principal', 'p_purpose', 'p_name', 'p_subscription', 'p_topic', 'p_phase',
                        'p_from', 'p_holder', 'p_error') then quote_literal('s')
        when p_name = 'p_to' then quote_literal('t')
        when p_name in ('p_fingerprint', 'p_hash') then 'sha256(''f'')'
        when p_name = 'p_wait' then '''10 milliseconds'''
        when p_name = 'p_status' then '200'
        when p_name = 'p_bytes' then 'null'
        when p_name = 'p_content_type' then '''application/json'''
        when p_name = 'p_call' then 'null'
        when p_name in ('p_topics', 'p_names', 'p_phases') then '''{s,t}'''
        when p_name in ('p_hashes', 'p_fingerprints') then 'array[sha256(''f'')]'
        when p_name = 'p_headers' then '''[["a","b"]]'''
        when p_name = 'p_slice' then '0'
        when p_type = 'json' then '''{}'''
        when p_type = 'interval' then '''1 minute'''
        when p_type like 'timestamp%[]' then 'array[now()]'
        when p_type like 'timestamp%' then 'now()'
        when p_type = 'uuid' then '''0192f0c1-90aa-7000-9000-0123456789ab'''
        when p_type = 'uuid[]' then '''{0192f0c1-90aa-7000-9000-0123456789ab}'''
        when p_type = 'boolean' then 'true'
        when p_type in ('integer', 'bigint', 'smallint') then '1'
        when p_type like '%[]' then '''{}'''
        else 'null' end
$$;
-- A call of a function with the arguments that it must have, and with those that are given, by name, as expressions.
create function probe.call_of(p_function oid, p_given jsonb default '{}') returns text language sql as $$
    select format('select * from once.%I(%s)', f.proname, coalesce(string_agg(
               format('%I => %s::%s', a.name, coalesce(p_given ->> a.name, probe.value_of(a.name, format_type(a.type, null))),
                      format_type(a.type, null)), ', ' order by a.place) filter (where a.place <= f.pronargs - f.pronargdefaults
                                                                                   or p_given ? a.name), ''))
    from pg_proc as f
    left join lateral unnest(f.proargtypes::oid[], f.proargnames[1:f.pronargs]) with ordinality as a (type, name, place) on true
    where f.oid = p_function
    group by f.oid, f.proname
$$;
-- What one of these group roles may call.
create function probe.functions_of(variadic p_roles text[]) returns setof pg_proc language sql as $$
    select f.* from pg_proc as f
    where f.pronamespace = 'once'::regnamespace
      and exists (select from unnest(p_roles) as r where has_function_privilege('once_' || r, f.oid, 'execute'))
    order by f.proname, f.oid
$$;
)sql";

/// The rows of a query, as texts; null is "NULL".
[[nodiscard]] inline std::vector<std::vector<std::string>> rows_of(effects_database const& server,
                                                                   std::string const& sql) {
    pqxx::connection connection{server.dsn()};
    std::vector<std::vector<std::string>> rows;
    for (auto const& row : pqxx::nontransaction{connection}.exec(sql)) {
        auto& texts = rows.emplace_back();
        for (auto const& field : row) {
            texts.emplace_back(field.is_null() ? "NULL" : field.c_str());
        }
    }
    return rows;
}

} // namespace once::testing
