// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "exit_status.hpp"
#include "support/http_receiver.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
using namespace std::chrono_literals;
namespace exit_status = once::command::exit_status;

namespace {

// The program with a pipe for its standard output whose reader can go away.
class program_with_reader {
public:
    program_with_reader(std::vector<std::string> const& words, std::string const& variable) {
        auto const pipe = m_folder.file("pipe");
        REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
        m_reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        std::string line = "exec " ONCE_COMMAND;
        for (auto const& word : words) {
            line += " '" + word + "'";
        }
        line += " >'" + pipe + "' 2>'" + m_folder.file("err") + "'";
        m_child = std::make_unique<child_process>(
            std::vector<std::string>{"/usr/bin/env", variable, "/bin/sh", "-c", line});
    }
    ~program_with_reader() { leave(); }
    program_with_reader(program_with_reader const&) = delete;
    program_with_reader& operator=(program_with_reader const&) = delete;

    void leave() {
        if (m_reader >= 0) {
            ::close(m_reader);
            m_reader = -1;
        }
    }
    [[nodiscard]] std::string log() const { return read_file(m_folder.file("err")); }
    [[nodiscard]] bool ended() const { return m_child->ended(); }
    int wait() {
        auto const ending = m_child->wait();
        return WIFEXITED(ending.status) ? WEXITSTATUS(ending.status) : -WTERMSIG(ending.status);
    }
    void signal(int number) const { m_child->signal(number); }

private:
    temporary_folder m_folder;
    int m_reader = -1;
    std::unique_ptr<child_process> m_child;
};

bool lease_is_held(relay_database const& db) {
    return wait_until(
        [&] { return db.ask("select count(*) from once.lease where released_at is null") == "1"; });
}

bool a_command_is_connected(relay_database const& db) {
    return wait_until([&] {
        return db.ask("select count(*) from pg_stat_activity where datname = current_database() and "
                      "application_name = 'once'") != "0";
    });
}

} // namespace

TEST_CASE("TERM, INT and HUP end every command that runs on in good order, and a relay gives its lease back",
          "[signals]") {
    http_receiver receiver;
    for (int const signal : {SIGTERM, SIGINT, SIGHUP}) {
        CAPTURE(signal);
        relay_database db;
        db.publish(5);
        for (auto const& words :
             std::vector<std::vector<std::string>>{{"relay", "s", "--to", "webhook", "--url", receiver.url()},
                                                   {"relay", "s", "--to", "jsonl"}}) {
            once_program relay{words, {db.variable()}};
            REQUIRE(relay.logs("started"));
            REQUIRE(lease_is_held(db));
            relay.signal(signal);
            CHECK(relay.wait() == exit_status::ok);
            CHECK(db.lease_is_free());
            CHECK_THAT(relay.log(), ContainsSubstring("stopped"));
        }
        once_program metrics{{"metrics", "--listen", "127.0.0.1:0"}, {db.variable()}};
        CHECK_FALSE(metrics.read_line().empty());
        metrics.signal(signal);
        CHECK(metrics.wait() == exit_status::ok);

        once_program watching{{"tail"}, {db.variable()}};
        REQUIRE(a_command_is_connected(db));
        watching.signal(signal);
        CHECK(watching.wait() == exit_status::ok);

        once_program bench{{"bench", "--yes", "--seconds", "60", "--connections", "1"}, {db.variable()}};
        REQUIRE(wait_until([&] {
            return db.ask("select count(*) from pg_namespace where nspname like 'once\\_bench\\_%'") != "0";
        }));
        bench.signal(signal);
        static_cast<void>(bench.wait());
        CHECK(db.ask("select count(*) from pg_namespace where nspname like 'once\\_bench\\_%'") == "0");
    }
}

TEST_CASE("with nohup a relay outlives SIGHUP", "[signals]") {
    relay_database db;
    temporary_folder const folder;
    child_process relay{{"/usr/bin/env", db.variable(), "/bin/sh", "-c",
                         "trap '' HUP; exec " ONCE_COMMAND " relay s --to jsonl >'" + folder.file("out") +
                             "' 2>'" + folder.file("err") + "'"}};
    REQUIRE(lease_is_held(db));
    relay.signal(SIGHUP);
    db.publish(3);
    CHECK(wait_until([&] { return lines_of_file(folder.file("out")).size() == 3; }));
    relay.signal(SIGTERM);
    CHECK(WEXITSTATUS(relay.wait().status) == exit_status::ok);
}

TEST_CASE(
    "when nobody reads standard output any more, a relay says so, gives its lease back, and ends with 6",
    "[signals]") {
    for (bool const idle : {true, false}) {
        CAPTURE(idle);
        relay_database db;
        program_with_reader relay{{"relay", "s", "--to", "jsonl"}, db.variable()};
        REQUIRE(lease_is_held(db));
        if (!idle) {
            db.publish(5);
            REQUIRE(wait_until([&] { return db.all_through(); }));
        }
        relay.leave();
        if (!idle) {
            db.publish(5);
        }
        CHECK(relay.wait() == exit_status::output_lost);
        CHECK(db.lease_is_free());
        CHECK_THAT(relay.log(), ContainsSubstring("nobody reads standard output any more"));
    }
    relay_database db;
    db.publish(5);
    child_process full{{"/usr/bin/env", db.variable(), "/bin/sh", "-c",
                        "exec " ONCE_COMMAND " relay s --to jsonl >/dev/full 2>/dev/null"}};
    CHECK(WEXITSTATUS(full.wait().status) == exit_status::output_lost);
    CHECK(db.lease_is_free());
}

TEST_CASE("tail, and every command that prints, ends with 6 when its output is not taken", "[signals]") {
    relay_database const db;
    program_with_reader watching{{"tail"}, db.variable()};
    REQUIRE(a_command_is_connected(db));
    watching.leave();
    CHECK(watching.wait() == exit_status::output_lost);
    for (std::string const words :
         {"status", "why", "migrate print", "completion", "help", "parked list --json"}) {
        CAPTURE(words);
        child_process full{{"/usr/bin/env", db.variable(), "/bin/sh", "-c",
                            "exec " ONCE_COMMAND " " + words + " >/dev/full 2>/dev/null"}};
        CHECK(WEXITSTATUS(full.wait().status) == exit_status::output_lost);
    }
}

TEST_CASE("each message that is refused is told once, with its id, its key and why; where to without secrets",
          "[relay]") {
    relay_database db;
    http_receiver receiver;
    receiver.set_script([](auto const& request) {
        return http_answer{.status = request.body.find("\"k1\"") == std::string::npos ? 204 : 422};
    });
    db.publish(7);
    once_program relay{{"relay", "s", "--to", "webhook", "--until-idle", "--listen", "127.0.0.1:0"},
                       {db.variable(), "ONCE_RELAY_URL=http://user:hunter2@" + receiver.url("/").substr(7) +
                                           "services/T0/s3cret?token=hunter2"}};
    CHECK(relay.wait() == exit_status::found);
    auto const log = relay.log();
    CAPTURE(log);
    CHECK(log.find("hunter2") == std::string::npos);
    CHECK(log.find("s3cret") == std::string::npos);
    CHECK_THAT(log, ContainsSubstring("url=" + receiver.url("/...")) &&
                        ContainsSubstring("listen=http://127.0.0.1:"));
    auto const id = db.ask("select message_id::text from once.parked_message");
    CHECK_THAT(log, ContainsSubstring("refused subscription=s slice=0 id=" + id +
                                      " key=k1 topic=t result=rejected"));
    CHECK(log.find("refused", log.find("refused") + 1) == std::string::npos);
}
