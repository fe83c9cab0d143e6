// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/claim.hpp>
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/execute.hpp>
#include <once/inbox.hpp>
#include <once/publish.hpp>
#include <once/subscription.hpp>
#include <once/token.hpp>

#include "integration/schema_verdict.hpp"
#include "support/effects.hpp"
#include "support/login_role.hpp"
#include "support/migrations_folder.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/transaction>

#include <string>
#include <tuple>
#include <vector>

using namespace once::testing;

namespace {

struct alteration {
    std::string sql;
    std::vector<std::string> named;
};

void check_refused(std::vector<alteration> const& alterations) {
    for (auto const& one : alterations) {
        effects_database const server;
        INFO(one.sql);
        server.run(one.sql);
        auto const text = verdict(server.dsn());
        INFO(text);
        for (auto const& name : one.named) {
            CHECK(contains(text, name));
        }
        once::database db{server.dsn()};
        CHECK_THROWS_AS(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }),
                        once::schema_error);
        CHECK(server.effects() == 0);
    }
}

constexpr auto claim_arguments = "(text, text, bytea, interval, interval, timestamptz)";

} // namespace

TEST_CASE("an unaltered schema passes, and so does what operators may add", "[schema]") {
    effects_database const server;
    CHECK(verdict(server.dsn()) == "accepted");
    server.run("create index on once.idempotency_record (claimed_at); "
               "alter table once.idempotency_record add column note text; "
               "analyze once.idempotency_record; comment on table once.idempotency_record is 'ours'");
    CHECK(verdict(server.dsn()) == "accepted");
}

TEST_CASE("a missing schema is refused with what to create and apply", "[schema]") {
    empty_database const server;
    auto const text = verdict(server.dsn());
    CHECK(contains(text, "no schema \"once\""));
    CHECK(contains(text, "0001_schema_version.up.sql"));
    run(server.dsn(), "create schema once");
    CHECK(contains(verdict(server.dsn()), "0001_schema_version.up.sql"));
}

TEST_CASE("a missing migration is refused by the name of its file, a newer one by its number", "[schema]") {
    effects_database const server;
    auto const names = migration_names(".up.sql");
    server.run("insert into once.schema_version (version, name) values (" + std::to_string(names.size() + 1) +
               ", 'from the future')");
    auto const newer = verdict(server.dsn());
    CHECK(contains(newer, "version " + std::to_string(names.size() + 1)));
    CHECK(contains(newer, "newer"));
    server.run("delete from once.schema_version where version > " + std::to_string(names.size()));
    for (std::size_t left = names.size() - 1; left > 0; --left) {
        server.run("delete from once.schema_version where version > " + std::to_string(left));
        CHECK(contains(verdict(server.dsn()), names[left]));
    }
    server.run("delete from once.schema_version");
    CHECK(contains(verdict(server.dsn()), names[0]));
}

TEST_CASE("a guarding constraint that was altered is refused by its name", "[schema]") {
    check_refused({
        {"alter table once.idempotency_record drop constraint idempotency_record_pkey",
         {"idempotency_record_pkey", "missing"}},
        {"alter table once.idempotency_record drop constraint idempotency_record_pkey, "
         "add constraint idempotency_record_pkey primary key (service, scope, key) deferrable",
         {"idempotency_record_pkey", "deferrable"}},
        {"alter table once.idempotency_record drop constraint idempotency_record_pkey, "
         "add constraint idempotency_record_pkey primary key (service, scope, key, claimed_at)",
         {"idempotency_record_pkey", "claimed_at"}},
        {"alter table once.service_role drop constraint service_role_pkey", {"service_role_pkey", "missing"}},
        {"alter table once.lease drop constraint lease_pkey", {"lease_pkey", "missing"}},
        {"alter table once.lease drop constraint lease_fence_key", {"lease_fence_key", "missing"}},
        {"alter table once.lease drop constraint lease_fence_key, add constraint lease_fence_key "
         "unique (service, name, fence) deferrable",
         {"lease_fence_key", "deferrable"}},
        {"alter table once.token drop constraint token_pkey", {"token_pkey", "missing"}},
    });
}

TEST_CASE("the guards of inbox, operations and windows are checked, too", "[schema]") {
    check_refused({
        {"alter table once.inbox drop constraint inbox_pkey", {"inbox_pkey", "missing"}},
        {"alter table once.inbox set unlogged", {"inbox", "UNLOGGED"}},
        {"alter domain once.message_uuid drop constraint message_uuid_valid", {"message_uuid_valid"}},
        {"alter table once.operation drop constraint operation_pkey, "
         "add constraint operation_pkey primary key (service, scope, key) deferrable",
         {"operation_pkey", "deferrable"}},
        {"alter table once.operation alter column fence drop not null", {"operation.fence"}},
        {"alter table once.request_window drop constraint request_window_pkey",
         {"request_window_pkey", "missing"}},
        {"drop function once.receive_many cascade", {"function receive_many(", "missing"}},
        {"drop function once.advance_operation", {"function advance_operation(", "missing"}},
        {"alter function once.open_window reset search_path", {"function open_window ", "search_path"}},
    });
}

TEST_CASE("an outbox that could lose messages is refused with the reason", "[schema]") {
    check_refused({
        {"alter sequence once.outbox_id_seq cache 2", {"outbox_id_seq", "cache of 2"}},
        {"alter sequence once.outbox_id_seq cycle", {"outbox_id_seq", "begin again"}},
        {"alter table once.outbox_3 set unlogged", {"outbox_3", "UNLOGGED"}},
        {"alter table once.outbox add column moved xid8 not null default pg_current_xact_id(); "
         "alter table once.outbox drop column txid; alter table once.outbox rename column moved to txid",
         {"txid and id", "another order"}},
        {"alter table once.outbox drop column payload_bytes", {"outbox.payload_bytes", "missing"}},
        {"alter table once.checkpoint drop constraint checkpoint_pkey", {"checkpoint_pkey", "missing"}},
        {"alter table once.outbox_identity drop constraint outbox_identity_pkey", {"outbox_identity_pkey"}},
        {"alter table once.parked_message set unlogged", {"parked_message", "UNLOGGED"}},
        {"alter domain once.message_topic drop constraint message_topic_valid", {"message_topic_valid"}},
        {"drop function once.wake_up(text)", {"wake_up", "missing"}},
    });
}

TEST_CASE("a table that was altered is refused by its name", "[schema]") {
    check_refused({
        {"alter table once.idempotency_record set unlogged", {"idempotency_record", "UNLOGGED"}},
        {"alter table once.lease set unlogged", {"lease", "UNLOGGED"}},
        {"alter table once.token enable row level security", {"token", "row security"}},
        {"alter table once.idempotency_record enable row level security",
         {"idempotency_record", "row security"}},
        {"create rule drops as on insert to once.idempotency_record do instead nothing",
         {"idempotency_record", "rule drops"}},
        {"create function public.meddle() returns trigger language plpgsql as 'begin return null; end'; "
         "create trigger meddler before insert on once.idempotency_record for each row execute function "
         "meddle()",
         {"idempotency_record", "trigger meddler"}},
        {"drop table once.idempotency_record cascade", {"table idempotency_record is missing"}},
        {"alter table once.idempotency_record rename to other", {"table idempotency_record is missing"}},
    });
}

TEST_CASE("a column that was altered is refused by its name", "[schema]") {
    check_refused({
        {"alter table once.idempotency_record drop column response_bytes cascade, add column response_bytes "
         "text",
         {"idempotency_record.response_bytes", "text instead of bytea"}},
        {"alter table once.idempotency_record alter column claimed_by drop not null",
         {"idempotency_record.claimed_by", "instead of text not null"}},
        {"alter table once.idempotency_record alter column fingerprint set not null",
         {"idempotency_record.fingerprint"}},
        {"alter table once.idempotency_record rename column completed_at to done_at",
         {"column idempotency_record.completed_at is missing"}},
        {"alter table once.service_role rename column role to login",
         {"column service_role.role is missing"}},
    });
}

TEST_CASE("a function that was altered is refused by its name", "[schema]") {
    auto const claim = std::string{"once.claim"} + claim_arguments;
    check_refused({
        {"drop function once.lookup", {"function lookup(", "missing"}},
        {"drop function once.complete_with_row", {"function complete_with_row(", "missing"}},
        {"alter function once.current_service() reset search_path",
         {"function current_service ", "search_path"}},
        {"alter function once.current_service() set search_path = once",
         {"function current_service ", "search_path"}},
        {"alter function " + claim + " set search_path = public, once", {"function claim ", "search_path"}},
        {"alter function " + claim + " security invoker", {"function claim ", "SECURITY DEFINER"}},
        {"alter function once.current_service() security invoker",
         {"function current_service ", "SECURITY DEFINER"}},
    });
}

TEST_CASE("a check that failed is made again: what was fixed works without a new object", "[schema]") {
    effects_database const server;
    once::database db{server.dsn()};
    server.run("alter table once.idempotency_record set unlogged");
    CHECK_THROWS_AS(db.check(), once::schema_error);
    server.run("alter table once.idempotency_record set logged");
    CHECK_NOTHROW(db.check());
    CHECK(once::execute(db, request_of("k"), [](once::transaction& tx) { add_effect(tx); }).done());
}

TEST_CASE("a schema that was renamed is refused with its old name and the way to fix it", "[schema]") {
    effects_database const server;
    server.run("alter schema once rename to billing");
    once::database db{server.dsn(), {.schema = "billing"}};
    try {
        db.check();
        FAIL("accepted");
    } catch (once::schema_error const& e) {
        std::string const text = e.what();
        INFO(text);
        CHECK(contains(text, "look for tables in schema once"));
        CHECK(contains(text, "once doctor --sql"));
    }
}

TEST_CASE("another schema name works, next to the usual one", "[schema]") {
    effects_database const server;
    migrate(server.dsn(), "shop_once");
    once::database db{server.dsn(), {.schema = "shop_once"}};
    CHECK(db.schema() == "shop_once");
    auto const write = [](once::transaction& tx) { add_effect(tx); };
    CHECK(once::execute(db, request_of("k"), write).done());
    CHECK(once::execute(db, request_of("k"), write).replayed());
    CHECK(once::execute(db, request_of("p"), {effect_statement()}).done());
    CHECK(once::execute(db, request_of("p"), {effect_statement()}).replayed());
    CHECK(server.ask("select count(*) from shop_once.idempotency_record") == "2");
    CHECK(server.records() == 0);

    pqxx::connection connection{server.dsn()};
    pqxx::work tx{connection};
    once::borrowed const elsewhere{tx, "shop_once"};
    CHECK(std::holds_alternative<once::replayed>(once::claim(elsewhere, request_of("k"))));
    CHECK(std::holds_alternative<once::started>(once::claim(tx, request_of("k"))));
}

TEST_CASE("the transaction of a callback brings the schema of its database along", "[schema]") {
    effects_database const server;
    migrate(server.dsn(), "shop_once");
    once::database db{server.dsn(), {.schema = "shop_once"}};
    once::inbox const inbox{"c"};
    auto const id = once::message_id::random();
    once::transact(db, [&](once::transaction& tx) {
        CHECK(tx.schema() == "shop_once");
        CHECK(once::subscribe(tx, "s"));
        CHECK(inbox.receive(tx, {.id = id, .fingerprint = once::no_fingerprint}) == once::receipt::fresh);
        once::publish(tx, {.topic = "t"});
        std::ignore = once::issue_token(tx, {.principal = "alice", .purpose = "pay"});
        CHECK(std::holds_alternative<once::started>(once::claim(tx, request_of("k"))));
        once::complete(tx, {"test", "k"}, once::response{.status = 204});
    }).expect_committed();
    for (std::string const table : {"subscription", "inbox", "outbox", "token", "idempotency_record"}) {
        CAPTURE(table);
        CHECK(server.ask("select count(*) from shop_once." + table) == "1");
        CHECK(server.ask("select count(*) from once." + table) == "0");
    }
}

TEST_CASE("a role with USAGE and EXECUTE can work, and cannot touch the records itself", "[schema]") {
    effects_database const server;
    login_role const role{server, "service"};
    server.run("grant insert, select on effect to " + role.name());
    CHECK(contains(verdict(role.dsn()), "grant once_producer"));
    server.run("grant usage on schema once to " + role.name());
    CHECK(contains(verdict(role.dsn()), "grant"));
    server.run("grant execute on function once.installed_version() to " + role.name());
    auto const text = verdict(role.dsn());
    INFO(text);
    CHECK(contains(text, "function claim may not be called by " + role.name()));
    CHECK(contains(text, "grant once_producer to " + role.name()));
    role.grant_use();
    CHECK(verdict(role.dsn()) == "accepted");

    once::database db{role.dsn()};
    auto const write = [](once::transaction& tx) { add_effect(tx); };
    CHECK(once::execute(db, request_of("k"), write).done());
    CHECK(once::execute(db, request_of("k"), write).replayed());
    CHECK(once::execute(db, request_of("p"), {effect_statement()}).done());
    CHECK(once::execute(db, request_of("p"), {effect_statement()}).replayed());
    for (std::string const sql :
         {"select * from once.idempotency_record", "delete from once.idempotency_record",
          "insert into once.service_role (role, service) values ('x', 'y')",
          "select * from once.service_role", "select * from once.idempotency_record_readable",
          "select * from once.schema_version", "create table once.mine ()", "select once.purge()"}) {
        INFO(sql);
        CHECK_THROWS_AS(run(role.dsn(), sql), pqxx::insufficient_privilege);
    }
}
