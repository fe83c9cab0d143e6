// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// Every SQL text in lib/src/sql, as PostgreSQL understands it in a schema whose name has to be quoted.
#include "sql/claim_statements.hpp"
#include "sql/in_schema.hpp"
#include "sql/inbox_statements.hpp"
#include "sql/lease_statements.hpp"
#include "sql/operation_statements.hpp"
#include "sql/outbox_statements.hpp"
#include "sql/postgres_publisher_statements.hpp"
#include "sql/repository_statements.hpp"
#include "sql/schema_statements.hpp"
#include "sql/session_statements.hpp"
#include "sql/token_statements.hpp"
#include "sql/window_statements.hpp"
#include "support/effects.hpp"
#include "support/migrations_folder.hpp"
#include "text/quote.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace once::testing;
namespace sql = once::sql;

namespace {

/// How often each name stands in /* once: NAME */.
std::map<std::string, int> names_in(std::string const& text) {
    static std::regex const name{R"(/\* once: ([a-z_ ]+) \*/)"};
    std::map<std::string, int> counted;
    for (std::sregex_iterator at{text.begin(), text.end(), name}, end; at != end; ++at) {
        ++counted[(*at)[1]];
    }
    return counted;
}

/// The sources of lib/src/sql, one behind the other.
std::string sources() {
    std::ostringstream all;
    auto const folder = std::filesystem::path{migration_path("")}.parent_path().parent_path() / "lib/src/sql";
    for (auto const& entry : std::filesystem::directory_iterator{folder}) {
        std::ifstream const file{entry.path(), std::ios::binary};
        all << file.rdbuf();
    }
    return all.str();
}

/// Texts to prepare.
class catalogue {
public:
    void add(std::string_view text) { m_texts.emplace_back(text); }

    /// All texts of a struct: one that is left out here shows in the size of the struct.
    /// @param others members of the struct that are strings but no statements
    template <class Texts>
    void add_all(Texts const& of, std::initializer_list<std::string> texts, std::size_t others = 0) {
        INFO(texts.begin()->substr(0, 40) << " and those beside it");
        CHECK((texts.size() + others) * sizeof(std::string) == sizeof of);
        m_texts.insert(m_texts.end(), texts);
    }

    [[nodiscard]] std::vector<std::string> const& texts() const noexcept { return m_texts; }

private:
    std::vector<std::string> m_texts;
};

void add_structs(catalogue& to, std::string const& schema) {
    sql::claim_statements const claims{schema};
    to.add_all(claims,
               {claims.settings, claims.claim, claims.claim_or_abort, claims.begin_request,
                claims.begin_request_or_abort, claims.try_claim, claims.redeem, claims.redeem_or_abort,
                claims.try_redeem, claims.lookup, claims.complete, claims.finish_request},
               1);
    to.add(claims.complete_with_row("select $1::integer as n -- a comment", 1));
    to.add(claims.finish_request_with_row("select $1::integer as n -- a comment", 1));
    sql::inbox_statements const inbox{schema};
    to.add_all(inbox, {inbox.receive, inbox.receive_many, inbox.new_ones});
    sql::lease_statements const leases{schema};
    to.add_all(leases,
               {leases.acquire, leases.renew, leases.release, leases.lease_held, leases.assert_fence});
    sql::operation_statements const operations{schema};
    to.add_all(operations, {operations.begin, operations.retake, operations.next, operations.advance,
                            operations.renew, operations.release, operations.call_key, operations.finish});
    sql::outbox_statements const outbox{schema};
    to.add_all(outbox, {outbox.publish, outbox.publish_many, outbox.schedule_many, outbox.subscribe,
                        outbox.unsubscribe, outbox.pause_subscription, outbox.next_batch, outbox.acknowledge,
                        outbox.take_parked, outbox.settle_parked, outbox.parked_due, outbox.release_due,
                        outbox.wake_channel, outbox.fall_asleep, outbox.wake_up, outbox.writers_left});
    sql::token_statements const tokens{schema};
    to.add_all(tokens, {tokens.issue});
    sql::window_statements const windows{schema};
    to.add_all(windows, {windows.open});
}

/// The texts that are no members of a struct; a new one shows as a name that is missing.
void add_others(catalogue& to, std::string const& schema) {
    auto const quoted = sql::quote_identifier(schema);
    for (auto const level :
         {once::isolation::read_committed, once::isolation::repeatable_read, once::isolation::serializable}) {
        to.add(sql::begin(level));
    }
    for (auto const text : {sql::commit, sql::rollback, sql::no_jit, sql::return_role, sql::speak_utf8}) {
        to.add(text);
    }
    for (auto const& pair : {sql::as_new, sql::leave_role}) {
        to.add(pair[0]);
        to.add(pair[1]);
    }
    for (auto const text : {sql::session_facts, sql::end_half_open, sql::knows_prepared, sql::set_staged_mark,
                            sql::staged_mark, sql::schema_presence, sql::schema_differences,
                            sql::may_ask_copied_apart, sql::receiving_settings}) {
        to.add(text);
    }
    for (auto const text : {sql::installed_version, sql::serves_from, sql::copied_apart}) {
        to.add(sql::in_schema(text, quoted));
    }
    to.add(sql::listen("a \"channel\""));
    to.add(sql::receive_messages(schema));
    to.add(sql::with_message("select from message", false, false));
    to.add(sql::with_message("other (n) as (select 1) select from other", true, false));
    to.add(sql::with_message("other (n) as (select 1) select from other", true, true));
}

void add_repository(catalogue& to) {
    using once::column_form;
    sql::repository_statements const rows{R"("public"."Odd Table")",
                                          {{"id", column_form::text},
                                           {"at", column_form::instant},
                                           {"day", column_form::date},
                                           {"raw", column_form::bytes},
                                           {"ratio", column_form::floating},
                                           {"the version", column_form::text}},
                                          5};
    std::vector<std::size_t> const id{0};
    std::vector<std::size_t> const pair{0, 1};
    std::vector<std::size_t> const written{0, 1, 2, 3, 4};
    to.add(rows.insert(1, written, {}));
    to.add(rows.insert(3, written, id));
    to.add(rows.find(id));
    to.add(rows.find(pair));
    to.add(rows.find_any(3, id));
    to.add(rows.find_any(3, pair));
    to.add(rows.update(0, 5, written));
    to.add(rows.erase(0, 5));
}

} // namespace

TEST_CASE("every statement of the library can be prepared in a schema whose name is a reserved word") {
    empty_database const server;
    std::string const schema = "user";
    migrate(server.dsn(), sql::quote_identifier(schema));
    run(server.dsn(),
        R"(create table public."Odd Table" (id bigint primary key, at timestamptz, day date, raw bytea,
                             ratio double precision, "the version" bigint not null))");
    catalogue all;
    add_structs(all, schema);
    add_others(all, schema);
    add_repository(all);

    pqxx::connection connection{server.dsn()};
    std::string together;
    for (std::size_t i = 0; i < all.texts().size(); ++i) {
        auto const& text = all.texts()[i];
        INFO(text);
        CHECK(text.find("{schema}") == std::string::npos);
        CHECK_NOTHROW(connection.prepare("statement " + std::to_string(i), text));
        together += text;
    }
    auto const prepared = names_in(together);
    for (auto const& [name, times] : names_in(sources())) {
        INFO("/* once: " << name << " */ stands in lib/src/sql " << times
                         << " times; name it in this test, too");
        CHECK(prepared.contains(name));
        CHECK((prepared.contains(name) && prepared.at(name) >= times));
    }
}

TEST_CASE("a schema's name is put in as it is, once for each placeholder") {
    CHECK(sql::in_schema("select {schema}.a({schema}.b)", R"("x")") == R"(select "x".a("x".b))");
    CHECK(sql::in_schema("{schema}", "\"{schema}\"") == "\"{schema}\"");
    CHECK(sql::in_schema("select 1", "\"x\"") == "select 1");
    CHECK(sql::in_schema("", "\"x\"").empty());
}
