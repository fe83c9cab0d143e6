// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "readers.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <memory>
#include <random>
#include <utility>

namespace once::testing {

namespace {

delivery as_delivery(pqxx::result const& rows, int number) {
    auto const row = rows[number];
    return {row[1].as<std::string>(), row[2].as<std::string>(""),
            nlohmann::json::parse(row[3].as<std::string>()).at("seq").get<long>()};
}

} // namespace

reader right_reader(std::string subscription, std::uint64_t seed, int slice) {
    auto const random = std::make_shared<std::mt19937_64>(seed);
    return [=, subscription = std::move(subscription)](session& db) {
        auto const roll = [&](int sides) {
            return std::uniform_int_distribution<int>{0, sides - 1}(*random);
        };
        std::vector<delivery> got;
        auto const consumes = roll(2) == 0;
        if (consumes) {
            // The consumer's way: the position moves in the transaction of the effects.
            db.run(roll(2) == 0 ? "begin" : "begin isolation level repeatable read");
        }
        auto const found = next_batch(db, subscription, 1 + roll(17), slice);
        // Now and then only a part is done.
        auto const done = found.size() > 1 && roll(4) == 0 ? 1 + roll(found.size() - 1) : found.size();
        for (int i = 0; i < done; ++i) {
            got.push_back(as_delivery(found.rows, i));
        }
        if (consumes && roll(2) == 0) {
            db.run("select pg_current_xact_id()"); // an effect
        }
        // An empty one is acknowledged more often than needed: each moves the bounds.
        if (done > 0 || found.worth_saving || roll(2) == 0) {
            std::optional<std::string> last;
            if (done > 0 && (done < found.size() || roll(2) == 0)) {
                last = found.rows[done - 1][0].as<std::string>();
            }
            acknowledge(db, subscription, found, last, done, slice);
        }
        if (consumes) {
            db.run("commit");
        }
        return got;
    };
}

void prepare_wrong_readers(session& db) {
    db.run(R"sql(
        create table cursor_at (design text primary key, txid xid8 not null default '0', id bigint not null default 0,
                                at timestamptz not null default '-infinity', snap pg_snapshot not null default '1:1:');
        insert into cursor_at (design) values ('by_id'), ('by_xid'), ('early_bound'), ('by_time');

        -- The place in the log as cursor: a transaction that commits later than others with higher places is skipped.
        create function read_by_id() returns setof outbox language plpgsql as $$
        declare v_row outbox;
        begin
            for v_row in select o.* from outbox as o
                         where o.id > (select c.id from cursor_at as c where design = 'by_id')
                             order by o.id limit 20 loop
                update cursor_at set id = v_row.id where design = 'by_id';
                return next v_row;
            end loop;
        end $$;

        -- Complete, but in the order in which transactions took their ids, which is not the order of their row locks.
        create function read_by_xid() returns setof outbox language plpgsql as $$
        declare v_row outbox;
        begin
            for v_row in select o.* from outbox as o
                         where (o.txid, o.id) > (select c.txid, c.id from cursor_at as c where design = 'by_xid')
                           and o.txid < pg_snapshot_xmin(pg_current_snapshot())
                         order by o.txid, o.id limit 20 loop
                update cursor_at set txid = v_row.txid, id = v_row.id where design = 'by_xid';
                return next v_row;
            end loop;
        end $$;

        -- Pairs of snapshots, but the lower bound is the newest place just before the snapshot: a transaction that has
        -- an id and a place already can lie beyond the snapshot.
        create function read_early_bound() returns setof outbox language plpgsql as $$
        declare
            v_at    cursor_at;
            v_bound bigint;
            v_snap  pg_snapshot;
        begin
            select * into v_at from cursor_at where design = 'early_bound';
            v_bound := (select last_value from outbox_id_seq);
            v_snap := pg_current_snapshot();
            return query
                select o.* from outbox as o
                where pg_visible_in_snapshot(o.txid, v_snap) and not pg_visible_in_snapshot(o.txid, v_at.snap)
                  and (o.id > v_at.id or o.txid = any (array(select pg_snapshot_xip(v_at.snap))))
                order by o.id;
            update cursor_at set snap = v_snap, id = v_bound where design = 'early_bound';
        end $$;

        create function read_by_time() returns setof outbox language plpgsql as $$
        declare v_row outbox;
        begin
            for v_row in select o.* from outbox as o
                         where o.published_at > (select c.at from cursor_at as c where design = 'by_time')
                         order by o.published_at limit 20 loop
                update cursor_at set at = v_row.published_at where design = 'by_time';
                return next v_row;
            end loop;
        end $$)sql");
}

reader wrong_reader(std::string design) {
    return [design = std::move(design)](session& db) {
        std::vector<delivery> got;
        auto const rows = db.rows("select id, message_id, key, payload_json from read_" + design + "()");
        for (int i = 0; i < static_cast<int>(rows.size()); ++i) {
            got.push_back(as_delivery(rows, i));
        }
        return got;
    };
}

} // namespace once::testing
