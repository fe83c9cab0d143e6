// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command.hpp"
#include "exit_status.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cstdio>
#include <regex>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
namespace exit_status = once::command::exit_status;

namespace {

// A database with two services, an administrator, and an inspector, each a login role of its own.
class several_services : public command_database<test_database> {
public:
    several_services() {
        for (std::string const kind : {"shop", "web", "ops", "eye"}) {
            sql("create role \"" + name(kind) + "\" login");
        }
        sql("grant once_producer, once_consumer to \"" + name("shop") + "\", \"" + name("web") + "\"");
        sql("grant once_administrator to \"" + name("ops") + "\"; grant once_inspector to \"" + name("eye") +
            "\"");
    }
    ~several_services() {
        try {
            for (std::string const kind : {"shop", "web", "ops", "eye"}) {
                sql("drop owned by \"" + name(kind) + "\"; drop role \"" + name(kind) + "\"");
            }
        } catch (std::exception const& e) {
            std::fprintf(stderr, "roles stay behind: %s\n", e.what());
        }
    }
    several_services(several_services const&) = delete;
    several_services& operator=(several_services const&) = delete;

    // Names that have to be quoted.
    [[nodiscard]] std::string name(std::string const& kind) const {
        return ask("select current_database()") + " " + kind + "'s";
    }
    [[nodiscard]] std::string dsn_as(std::string const& kind) const {
        auto const role = std::regex_replace(name(kind), std::regex{"'"}, "\\'");
        return dsn() + " user='" + role + "'";
    }
    [[nodiscard]] command_result run_as(std::string const& kind, std::vector<std::string> words) const {
        words.insert(words.begin(), {"--database", dsn_as(kind)});
        return run_command(words);
    }
    void sql_as(std::string const& kind, std::string const& text) const {
        pqxx::connection connection{dsn_as(kind)};
        pqxx::nontransaction{connection}.exec(text);
    }
    // One message of `kind`'s subscription, dead.
    void bury(std::string const& kind, std::string const& subscription) const {
        sql_as(kind, "select once.publish('t', 'it''s a key', '{}')");
        sql_as(kind, "do $$ declare b text; i bigint; begin select max(batch::text), max(id) into b, i from "
                     "once.next_batch('" +
                         subscription + "'); perform once.acknowledge('" + subscription +
                         "', 0, b::once.batch, null, null, array[i], '{dead}', array['no']); end $$");
    }
};

} // namespace

TEST_CASE("every command that names what is not there says so, names what is there, and ends with 5",
          "[names]") {
    several_services const db;
    db.sql_as("shop", "select once.subscribe('billing')");
    std::string const id = "018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44";
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"why", "nosuch"},
             {"why", "nosuch", "--json"},
             {"why", "billing", "--service", "nobody"},
             {"parked", "list", "nosuch"},
             {"parked", "list", "nosuch", "--json"},
             {"parked", "list", "billing", "--service", "nobody"},
             {"parked", "redrive", "nosuch"},
             {"parked", "redrive", "billing", "--service", "nobody"},
             {"parked", "discard", "nosuch", id},
             {"subscription", "pause", "nosuch"},
             {"subscription", "resume", "nosuch"},
             {"subscription", "drop", "nosuch", "--yes"},
         }) {
        CAPTURE(words);
        auto const result = db.run_as("ops", words);
        CHECK(result.status == exit_status::not_found);
        CHECK_THAT(result.err, ContainsSubstring("there is no subscription") && ContainsSubstring("billing"));
        CHECK(result.out.empty());
    }
    for (auto const& words : std::vector<std::vector<std::string>>{{"parked", "show", id},
                                                                   {"parked", "redrive", "billing", id},
                                                                   {"parked", "redrive", "billing"},
                                                                   {"parked", "discard", "billing", id},
                                                                   {"request", "show", "nosuch"},
                                                                   {"grant", "nosuch", "producer"}}) {
        CAPTURE(words);
        auto const result = db.run(words);
        CHECK(result.status == exit_status::not_found);
        CHECK_FALSE(result.err.empty());
    }
    CHECK(db.run({"parked", "show", "not-a-uuid"}).status == exit_status::usage);
    // Not to another service, either: it is told of its own.
    db.sql_as("web", "select once.subscribe('own')");
    auto const foreign = db.run_as("web", {"why", "billing"});
    CHECK(foreign.status == exit_status::not_found);
    CHECK_THAT(foreign.err, ContainsSubstring("own (of") && !ContainsSubstring("billing (of"));
    CHECK(db.run_as("web", {"subscription", "pause", "billing"}).status == exit_status::not_found);
    CHECK(db.run_as("ops", {"why", "billing"}).status == exit_status::ok);
}

TEST_CASE("a name that one service has needs no --service, one that several have needs it, and the error "
          "lists them",
          "[names]") {
    several_services const db;
    db.sql_as("shop", "select once.subscribe('billing')");
    db.bury("shop", "billing");
    CHECK_THAT(db.run_as("ops", {"parked", "redrive", "billing"}).out,
               ContainsSubstring("1 message will be"));
    db.sql_as("web", "select once.subscribe('billing')");
    for (auto const& words : std::vector<std::vector<std::string>>{
             {"parked", "redrive", "billing"},
             {"parked", "discard", "billing", "018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44"},
             {"subscription", "pause", "billing"},
             {"subscription", "resume", "billing"},
             {"subscription", "drop", "billing", "--yes"}}) {
        CAPTURE(words);
        auto const unclear = db.run_as("ops", words);
        CHECK(unclear.status == exit_status::usage);
        CHECK_THAT(unclear.err,
                   ContainsSubstring("--service '" + db.ask("select current_database()") + " shop"));
        CHECK_THAT(unclear.err,
                   ContainsSubstring("--service '" + db.ask("select current_database()") + " web"));
    }
    CHECK(db.run_as("ops", {"subscription", "pause", "billing", "--service", db.name("web")}).status ==
          exit_status::ok);
    CHECK(db.ask("select string_agg(state::text, ',' order by service) from once.subscription") ==
          "active,paused");
}

TEST_CASE("subscriptions are listed by an inspector, paused, resumed and dropped by their service or an "
          "administrator",
          "[names]") {
    several_services const db;
    db.sql_as("shop", "select once.subscribe('billing', array['orders.*'])");
    auto const list = db.run_as("eye", {"subscription", "list", "--json"}).json();
    REQUIRE(list.size() == 1);
    CHECK(list[0]["subscription"] == "billing");
    CHECK(list[0]["topics"] == "orders.*");
    auto const state = [&] {
        return db.ask("select coalesce(max(state)::text, 'gone') from once.subscription");
    };
    for (std::string const kind : {"shop", "ops"}) {
        CHECK(db.run_as(kind, {"subscription", "pause", "billing"}).says("is paused"));
        CHECK(state() == "paused");
        CHECK(db.run_as(kind, {"subscription", "pause", "billing"}).says("nothing was changed"));
        CHECK(db.run_as(kind, {"subscription", "resume", "billing"}).says("goes on"));
        CHECK(state() == "active");
        CHECK(db.run_as(kind, {"subscription", "resume", "billing"}).says("was active already"));
    }
    db.sql("update once.subscription set state = 'expired'");
    auto const refused = db.run_as("shop", {"subscription", "resume", "billing"});
    CHECK(refused.status == exit_status::refused); // messages may be gone: that is for a person to decide
    CHECK(db.run_as("ops", {"subscription", "resume", "billing"}).says("had expired and goes on"));
    CHECK(state() == "active");
    CHECK(db.run_as("eye", {"subscription", "pause", "billing"}).status == exit_status::refused);
    CHECK(state() == "active");
    auto const unsure = db.run_as("shop", {"subscription", "drop", "billing"});
    CHECK(unsure.status == exit_status::usage);
    CHECK_THAT(unsure.err, ContainsSubstring("--yes"));
    CHECK(state() == "active");
    CHECK(db.run_as("shop", {"subscription", "drop", "billing", "--yes"}).status == exit_status::ok);
    CHECK(state() == "gone");
}

TEST_CASE("what why prints to be pasted runs as it stands, as the administrator who reads it", "[names]") {
    several_services const db;
    db.sql_as("shop", "select once.subscribe('bill''ing')");
    db.bury("shop", "bill''ing");
    db.sql_as("shop", "select once.pause_subscription('bill''ing')");
    auto const fixes = [&] {
        std::vector<std::string> made;
        auto const text = db.run_as("ops", {"why"}).out;
        static std::regex const fix{"  fix: ([^\n]*)\n"};
        for (std::sregex_iterator at{text.begin(), text.end(), fix}, end; at != end; ++at) {
            made.push_back((*at)[1]);
        }
        return made;
    };
    auto const all = fixes();
    CHECK(all.size() == 2);
    for (auto const& one : all) {
        CAPTURE(one);
        CHECK_NOTHROW(db.sql_as("ops", one));
    }
    CHECK(db.ask("select string_agg(state::text, ',') from once.subscription") == "active");
    CHECK(db.ask("select string_agg(state::text, ',') from once.parked_message") == "retrying");
    CHECK(fixes().empty());
    db.sql("update once.subscription set state = 'expired'");
    for (auto const& one : fixes()) {
        CAPTURE(one);
        CHECK_NOTHROW(db.sql_as("ops", one));
    }
    CHECK(db.ask("select string_agg(state::text, ',') from once.subscription") == "active");
    // Whatever else is told is a comment for SQL, so that the column runs as it stands.
    for (auto const& row : db.sql("select fix from once.explain_stall()")) {
        CHECK_NOTHROW(db.sql(std::string{row[0].view()}));
    }
}

TEST_CASE("no name that somebody else chose ends the comment behind a fix, or becomes a statement",
          "[names]") {
    command_database<test_database> const db;
    db.sql("create table t (n integer)");
    pqxx::connection connection{db.dsn()};
    pqxx::nontransaction session{connection};
    auto const gid = db.ask("select current_database()") + "'x\n; insert into t values (666); --";
    session.exec("begin; select once.publish('t', 'k', '{}'); prepare transaction " + session.quote(gid));
    auto const text = db.run({"why"}).out;
    auto const fix =
        db.ask("select fix from once.explain_stall() where reason like '%prepared%' and detail like "
               "current_database() || '%'");
    CHECK_THAT(text, ContainsSubstring("x\\n; insert"));
    session.exec(fix);
    CHECK(db.ask("select count(*) from pg_prepared_xacts where database = current_database()") == "0");
    CHECK(db.ask("select count(*) from once.outbox") == "1");
    CHECK(db.ask("select count(*) from t") == "0");
}

TEST_CASE("grant prints SQL that runs as it stands, and with --apply it has run", "[names]") {
    several_services const db;
    auto const role = db.name("eye");
    auto const printed = db.run({"grant", role, "producer", "consumer", "--service", "it's a shop"});
    REQUIRE(printed.status == exit_status::ok);
    auto const rights = [&] {
        return db.ask(
            "select pg_has_role(rolname, 'once_producer', 'member')::text || "
            "pg_has_role(rolname, 'once_consumer', 'member') || "
            "coalesce((select service from once.service_role where role = rolname), '') "
            "from pg_roles where rolname like '%eye''s' and rolname like current_database() || '%'");
    };
    CHECK(rights() == "falsefalse");
    db.sql(printed.out);
    CHECK(rights() == "truetrueit's a shop");
    db.sql("delete from once.service_role");
    db.sql("revoke once_producer, once_consumer from \"" + role + "\"");
    CHECK(db.run({"grant", role, "producer", "--service", "s", "--apply"}).says("-- done"));
    CHECK(rights() == "truefalses");
    CHECK(db.run({"grant", role, "king"}).status == exit_status::usage);
    CHECK(db.run({"grant", "nobody'there", "producer"}).status == exit_status::not_found);
    CHECK(db.run({"grant", role, "consumer", "--json"}).json()["applied"] == false);
}
