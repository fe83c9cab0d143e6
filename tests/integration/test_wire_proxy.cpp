// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each act of the proxy, which the tests of faults rest on.
#include "support/seed.hpp"
#include "wire_database.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <future>
#include <limits>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace once::testing;
using namespace std::chrono_literals;
using wire_test::broken;
using wire_test::connect;
using wire_test::connection_ptr;
using wire_test::database;
using wire_test::exec;
using wire_test::result_ptr;
using wire_test::value;

namespace {

using stopwatch = std::chrono::steady_clock;

/// Waits until `sql` answers `expected`; gives the last answer.
std::string eventually(connection_ptr const& c, std::string const& sql, std::string const& expected) {
    auto const deadline = stopwatch::now() + 10s;
    std::string last;
    do {
        last = value(c, sql);
    } while (last != expected && stopwatch::now() < deadline);
    return last;
}

std::string session_count(int pid) {
    return "select count(*) from pg_stat_activity where pid = " + std::to_string(pid);
}

/// Sends all statements in one pipeline; true when the server answered them all without an error.
bool pipeline(connection_ptr const& c, std::vector<std::string> const& statements) {
    bool good = PQenterPipelineMode(c.get()) == 1;
    for (auto const& sql : statements) {
        good = PQsendQueryParams(c.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1 && good;
    }
    good = PQpipelineSync(c.get()) == 1 && good;
    for (int nulls = 0; nulls < 2;) { // two in a row: the connection is broken
        result_ptr const r{PQgetResult(c.get()), &PQclear};
        if (!r) {
            ++nulls;
            continue;
        }
        nulls = 0;
        auto const status = PQresultStatus(r.get());
        if (status == PGRES_PIPELINE_SYNC) {
            return PQexitPipelineMode(c.get()) == 1 && good;
        }
        good = good && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    }
    return false;
}

/// The middle one of the times of `count` times `select 1`, in milliseconds.
/// The fastest of `count`, in milliseconds: a busy machine makes any of them slower, and none of them faster.
double fastest_select(connection_ptr const& c, int count) {
    auto fastest = std::numeric_limits<double>::max();
    for (int i = 0; i < count; ++i) {
        auto const begin = stopwatch::now();
        auto const answer = exec(c, "select 1");
        fastest =
            std::min(fastest, std::chrono::duration<double, std::milli>(stopwatch::now() - begin).count());
        REQUIRE(PQresultStatus(answer.get()) == PGRES_TUPLES_OK); // failing is fast and would look like speed
    }
    return fastest;
}

} // namespace

TEST_CASE("a select is one round trip and start-up is counted apart", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    CHECK(proxy.round_trips() == 0);
    CHECK(proxy.client_flights() == 0);
    CHECK(proxy.startup_round_trips(1) >= 1);
    CHECK(value(c, "select 42") == "42");
    CHECK(proxy.round_trips(1) == 1);
    CHECK(proxy.client_flights(1) == 1);
    proxy.reset_counters();
    CHECK(proxy.round_trips() == 0);
    CHECK(proxy.backend_pid(1) == PQbackendPID(c.get()));
    CHECK(proxy.faults().empty());
}

TEST_CASE("a work with one statement is three round trips", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    pqxx::connection c{db.through(proxy)};
    proxy.reset_counters();
    pqxx::work tx{c};
    tx.exec("insert into t values (1)");
    tx.commit();
    CHECK(proxy.round_trips() == 3);
    CHECK(db.rows() == "1");
}

TEST_CASE("a pipeline of begin, insert and commit is one round trip", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    CHECK(pipeline(c, {"BEGIN", "insert into t values (1)", "COMMIT"}));
    CHECK(proxy.round_trips() == 1);
    CHECK(proxy.client_flights() == 1);
    CHECK(db.rows() == "1");
}

TEST_CASE("the trace tells SQL, tags, status and process, also of prepared statements and after the end",
          "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    int pid = 0;
    {
        auto const c = connect(db.through(proxy));
        pid = PQbackendPID(c.get());
        result_ptr const p{PQprepare(c.get(), "done", "COMMIT", 0, nullptr), &PQclear};
        exec(c, "BEGIN");
        result_ptr const r{PQexecPrepared(c.get(), "done", 0, nullptr, nullptr, nullptr, 0), &PQclear};
        CHECK(PQresultStatus(r.get()) == PGRES_COMMAND_OK);
        exec(c, "select nonsense");
    }
    REQUIRE(proxy.wait_closed(1));
    std::string with_commit;
    std::string status;
    std::string tags;
    std::string error;
    for (auto const& e : proxy.trace(1)) {
        if (e.direction == wire_direction::to_server && e.sql == "COMMIT") {
            with_commit += e.type;
        }
        if (e.direction == wire_direction::to_client) {
            if (e.type == 'Z') {
                status += e.status;
            }
            tags += e.tag;
            error += e.sqlstate;
        }
    }
    CHECK(with_commit == "PBDE");
    CHECK(status == "IITII");
    CHECK(tags == "BEGINCOMMIT");
    CHECK(error == "42703");
    auto const events = proxy.trace();
    CHECK(events.front().type == message_type::startup);
    CHECK(events.front().client_pid == ::getpid());
    CHECK(events.back().backend_pid == pid);
    CHECK(proxy.open_connections() == 0);
}

TEST_CASE("a cut before COMMIT reaches the server leaves no row", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const fired = proxy.add(at_sql("commit", act::cut()));
    pqxx::connection c{db.through(proxy)};
    auto const lose = [&] {
        pqxx::work tx{c};
        tx.exec("insert into t values (1)");
        tx.commit();
    };
    CHECK_THROWS_AS(lose(), pqxx::failure);
    CHECK(fired.fired() == 1);
    REQUIRE(proxy.wait_closed(1));
    CHECK(eventually(db.direct(), session_count(proxy.backend_pid(1)), "0") == "0");
    CHECK(db.rows() == "0");
}

TEST_CASE("a lost COMMIT reply leaves the row and the client a broken connection", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const prepared = GENERATE_COPY(false, true);
    auto const c = connect(db.through(proxy));
    result_ptr const p{PQprepare(c.get(), "done", "COMMIT", 0, nullptr), &PQclear};
    auto const lost =
        prepared ? proxy.add(at_sql("COMMIT", act::cut_after())) : proxy.add(at_tag("COMMIT", act::cut()));
    exec(c, "BEGIN");
    exec(c, "insert into t values (1)");
    result_ptr const r{PQexecPrepared(c.get(), "done", 0, nullptr, nullptr, nullptr, 0), &PQclear};
    CHECK(PQresultStatus(r.get()) == PGRES_FATAL_ERROR);
    CHECK(broken(c));
    CHECK(lost.fired() == 1);
    CHECK(eventually(db.direct(), "select count(*) from t", "1") == "1");
}

TEST_CASE("a swallowed answer hangs the client until its socket is shut down", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    auto const hole = proxy.add(at_type(wire_direction::to_client, 'T', act::swallow()));
    auto waiting = std::async(std::launch::async, [&] { return PQresultStatus(exec(c, "select 1").get()); });
    REQUIRE(hole.wait_fired());
    // The server has said all it had to say, and the client still has nothing.
    REQUIRE(
        proxy.wait_for([](event const& e) { return e.work_index == 3 && e.type == 'Z' && !e.forwarded; }));
    CHECK(waiting.wait_for(100ms) == std::future_status::timeout);
    CHECK(value(db.direct(), session_count(proxy.backend_pid(1))) == "1");
    ::shutdown(PQsocket(c.get()), SHUT_RDWR);
    CHECK(waiting.get() == PGRES_FATAL_ERROR);
    CHECK(proxy.round_trips() == 0);
    CHECK(proxy.wait_closed(1));
}

TEST_CASE("a swallowed order leaves an orphaned session until it is released", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto c = connect(db.through(proxy));
    int const pid = PQbackendPID(c.get());
    exec(c, "BEGIN");
    auto const hole = proxy.add(at_sql("insert", act::swallow()));
    REQUIRE(PQsendQuery(c.get(), "insert into t values (1)") == 1);
    REQUIRE(hole.wait_fired());
    c.reset();
    CHECK(value(db.direct(), "select state from pg_stat_activity where pid = " + std::to_string(pid)) ==
          "idle in transaction");
    proxy.release_held();
    CHECK(proxy.wait_closed(1));
    CHECK(eventually(db.direct(), session_count(pid), "0") == "0");
    CHECK(db.rows() == "0");
}

TEST_CASE("close_client_keep_server keeps a zombie session until it is released", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    int const pid = PQbackendPID(c.get());
    bool const delivered = GENERATE_COPY(false, true);
    auto const fired = proxy.add(
        at_sql("insert", delivered ? act::pass_then_close_client() : act::close_client_keep_server()));
    exec(c, "BEGIN");
    exec(c, "insert into t values (1)");
    CHECK(broken(c));
    CHECK(fired.fired() == 1);
    auto const written = "select (backend_xid is not null)::text from pg_stat_activity where state = "
                         "'idle in transaction' and pid = " +
                         std::to_string(pid);
    CHECK(eventually(db.direct(), written, delivered ? "true" : "false") == (delivered ? "true" : "false"));
    CHECK(proxy.open_connections() == 1);
    proxy.release_held();
    CHECK(proxy.wait_closed(1));
    CHECK(eventually(db.direct(), session_count(pid), "0") == "0");
    CHECK(db.rows() == "0");
}

TEST_CASE("half-closing the client lets its order through and half-closing the server ends the session",
          "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    bool const to_client = GENERATE_COPY(false, true);
    auto const c = connect(db.through(proxy));
    int const pid = PQbackendPID(c.get());
    auto const fired =
        proxy.add(at_sql("insert", to_client ? act::half_close_client() : act::half_close_server()));
    exec(c, "insert into t values (1)");
    CHECK(broken(c));
    CHECK(fired.fired() == 1);
    CHECK(eventually(db.direct(), "select count(*) from t", to_client ? "1" : "0") ==
          (to_client ? "1" : "0"));
    CHECK(eventually(db.direct(), session_count(pid), "0") == "0");
}

TEST_CASE("a held message waits for release and a delayed one for its time", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    auto const held = proxy.add(at_sql("insert", act::hold()));
    auto waiting = std::async(std::launch::async,
                              [&] { return PQresultStatus(exec(c, "insert into t values (1)").get()); });
    REQUIRE(held.wait_fired());
    CHECK(waiting.wait_for(50ms) == std::future_status::timeout);
    CHECK(db.rows() == "0");
    proxy.release();
    CHECK(waiting.get() == PGRES_COMMAND_OK);
    CHECK(db.rows() == "1");

    static_cast<void>(proxy.add(at_sql("select 7", act::delay(80ms))));
    auto const begin = stopwatch::now();
    CHECK(value(c, "select 7") == "7");
    CHECK(stopwatch::now() - begin >= 80ms);
}

TEST_CASE("split sends single bytes and changes nothing", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const there = proxy.add(at_type(wire_direction::to_server, 'Q', act::split()).times(0));
    auto const back = proxy.add(at_type(wire_direction::to_client, 'D', act::split()).times(0));
    auto const c = connect(db.through(proxy));
    CHECK(value(c, "select repeat('x', 500)") == std::string(500, 'x'));
    CHECK(there.fired() == 1);
    CHECK(back.fired() == 1);

    // The answer to a start-up packet, read by hand: without split it comes in one piece.
    auto const first = proxy.add(at(2, wire_direction::to_client, 0, act::split()));
    int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto const path = proxy.dsn_host() + "/.s.PGSQL." + std::to_string(proxy.dsn_port());
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0);
    std::string packet{"\0\3\0\0", 4};
    for (auto const& word :
         {std::string{"user"}, db.user(), std::string{"database"}, db.name(), std::string{}}) {
        packet += word + '\0';
    }
    packet.insert(0, std::string{"\0\0\0", 3} + static_cast<char>(packet.size() + 4));
    REQUIRE(::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size()));
    std::size_t got = 0;
    int single = 0;
    std::array<char, 9> answer{}; // AuthenticationOk
    while (got < answer.size()) {
        auto const n = ::recv(fd, answer.data() + got, answer.size() - got, 0);
        REQUIRE(n > 0);
        got += static_cast<std::size_t>(n);
        single += n == 1 ? 1 : 0;
    }
    ::close(fd);
    CHECK(first.fired() == 1);
    CHECK(single >= 6); // all 9, unless this thread slept for longer than the proxy waits
    CHECK(std::string(answer.data(), 9) == std::string{"R\0\0\0\10\0\0\0\0", 9});
}

TEST_CASE("a rule can end the session or the client process when a message passes", "[wire_proxy]") {
    database db;
    SECTION("the session") {
        wire_proxy proxy{db.upstream()};
        auto const c = connect(db.through(proxy));
        auto const fired =
            proxy.add(at_work(1, wire_direction::to_server, 1, act::forward()).doing([&](event const& e) {
                exec(db.direct(), "select pg_terminate_backend(" + std::to_string(e.backend_pid) + ", 5000)");
            }));
        exec(c, "select 0");
        auto const r = exec(c, "select 1");
        CHECK(fired.fired() == 1);
        CHECK(broken(c));
        CHECK(proxy.wait_for([](event const& e) { return e.sqlstate == "57P01"; }).has_value());
    }
    SECTION("the client") {
        std::array<int, 2> to_child{};
        REQUIRE(::pipe(to_child.data()) == 0);
        pid_t const child = ::fork(); // before there are threads
        if (child == 0) {
            std::array<char, 1024> dsn{};
            if (::read(to_child[0], dsn.data(), dsn.size() - 1) > 0) {
                PGconn* const c = PQconnectdb(dsn.data());
                PQclear(PQexec(c, "insert into t values (1)"));
            }
            ::_exit(0);
        }
        wire_proxy proxy{db.upstream()};
        pid_t killed = 0;
        auto const fired = proxy.add(at_sql("insert", act::forward()).doing([&](event const& e) {
            killed = e.client_pid;
            if (killed == child) { // never another process
                ::kill(child, SIGKILL);
            }
        }));
        auto const dsn = db.through(proxy);
        REQUIRE(::write(to_child[1], dsn.data(), dsn.size()) == static_cast<ssize_t>(dsn.size()));
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        REQUIRE(fired.wait_fired());
        CHECK(killed == child);
        CHECK(proxy.wait_closed(1));
        CHECK(eventually(db.direct(), "select count(*) from t", "1") == "1");
        ::close(to_child[0]);
        ::close(to_child[1]);
    }
}

TEST_CASE("a cancel request passes and is counted, and no server is a fault", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> const cancel{PQgetCancel(c.get()), &PQfreeCancel};
    auto const passed = proxy.add(at_sql("pg_sleep", act::forward()));
    auto waiting = std::async(std::launch::async, [&] { return exec(c, "select pg_sleep(60)"); });
    REQUIRE(passed.wait_fired());
    REQUIRE(eventually(db.direct(),
                       "select wait_event from pg_stat_activity where pid = " +
                           std::to_string(PQbackendPID(c.get())),
                       "PgSleep") == "PgSleep");
    std::array<char, 256> text{};
    REQUIRE(PQcancel(cancel.get(), text.data(), static_cast<int>(text.size())) == 1);
    CHECK(std::string{PQresultErrorField(waiting.get().get(), PG_DIAG_SQLSTATE)} == "57014");
    CHECK(proxy.cancel_requests() == 1);
    CHECK(proxy.faults().empty());

    wire_proxy nowhere{{"/nonexistent", 1}};
    CHECK_THROWS(connect(db.through(nowhere)));
    REQUIRE(nowhere.wait_closed(1));
    CHECK(nowhere.faults().size() == 1);
}

TEST_CASE("a rule that throws cuts its connection and is reported", "[wire_proxy]") {
    database db;
    wire_proxy proxy{db.upstream()};
    auto const c = connect(db.through(proxy));
    proxy.add([](event const& e) -> action {
        if (e.type == 'Q') {
            throw std::runtime_error{"no idea"};
        }
        return act::forward();
    });
    exec(c, "select 1");
    CHECK(broken(c));
    REQUIRE(proxy.faults().size() == 1);
    CHECK(proxy.faults().front() == "connection 1: no idea");
}

TEST_CASE("latency is what was asked for and does not add up in a pipeline", "[wire_proxy][latency]") {
    database db;
    wire_proxy proxy{db.upstream(), {.keep_trace = false}};
    auto const c = connect(db.through(proxy));
    auto const without = fastest_select(c, 300);
    proxy.set_round_trip(1ms);
    auto const with = fastest_select(c, 300);
    INFO("select 1, fastest of 300 in ms: proxy " << without << ", proxy with 1 ms " << with);
    CHECK(with >= 1.0);
    CHECK(with - without >= 0.9);
    CHECK(with - without <= 1.6);

    proxy.set_round_trip(100ms);
    REQUIRE(PQenterPipelineMode(c.get()) == 1);
    auto const begin = stopwatch::now();
    for (int i = 0; i < 10; ++i) {
        REQUIRE(PQsendQueryParams(c.get(), "select 1", 0, nullptr, nullptr, nullptr, nullptr, 0) == 1);
        REQUIRE(PQpipelineSync(c.get()) == 1);
    }
    for (int syncs = 0; syncs < 10;) {
        result_ptr const r{PQgetResult(c.get()), &PQclear};
        REQUIRE_FALSE(broken(c));
        syncs += r && PQresultStatus(r.get()) == PGRES_PIPELINE_SYNC ? 1 : 0;
    }
    auto const took = stopwatch::now() - begin;
    CHECK(took >= 100ms);
    CHECK(took < 900ms); // added up it would be a second
}

namespace {

constexpr std::size_t line_bytes = std::size_t{32} * 1024;
constexpr int line_count = 1024;

std::uint64_t mix(std::uint64_t sum, char const* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 1099511628211ULL;
    }
    return sum;
}

/// Copies 32 MiB in and out again; empty when the same came back, else what was wrong.
std::string copy_both_ways(std::string const& dsn, std::uint64_t seed) {
    auto const c = connect(dsn);
    exec(c, "create temp table big (line text)");
    exec(c, "alter table big alter line set storage external");
    std::mt19937_64 random{seed};
    std::uint64_t sent = 14695981039346656037ULL;
    exec(c, "copy big from stdin");
    std::string line(line_bytes, '\n');
    for (int i = 0; i < line_count; ++i) {
        for (std::size_t k = 0; k + 1 < line.size(); ++k) {
            line[k] = static_cast<char>('a' + random() % 26);
        }
        sent = mix(sent, line.data(), line.size());
        if (PQputCopyData(c.get(), line.data(), static_cast<int>(line.size())) != 1) {
            return PQerrorMessage(c.get());
        }
    }
    PQputCopyEnd(c.get(), nullptr);
    while (result_ptr const r{PQgetResult(c.get()), &PQclear}) {
        if (PQresultStatus(r.get()) != PGRES_COMMAND_OK) {
            return PQerrorMessage(c.get());
        }
    }
    exec(c, "copy big to stdout");
    std::uint64_t received = 14695981039346656037ULL;
    char* row = nullptr;
    for (int size = 0; (size = PQgetCopyData(c.get(), &row, 0)) > 0; PQfreemem(row)) {
        received = mix(received, row, static_cast<std::size_t>(size));
    }
    return sent == received ? "" : "what came back is not what was sent";
}

} // namespace

TEST_CASE("twenty connections with 32 MiB each way at a time pass unchanged", "[wire_proxy][bulk]") {
    database db;
    auto const seed = once::testing::seed();
    CAPTURE(seed);
    wire_proxy proxy{db.upstream(), {.round_trip = 1ms}};
    std::vector<std::future<std::string>> copies;
    for (unsigned i = 0; i < 20; ++i) {
        copies.push_back(std::async(std::launch::async, copy_both_ways, db.through(proxy), seed + i));
    }
    for (auto& copy : copies) {
        CHECK(copy.get() == "");
    }
    CHECK(proxy.faults().empty());
    CHECK(proxy.connections() == 20);
}
