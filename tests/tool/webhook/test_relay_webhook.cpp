// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/webhook_publisher.hpp>

#include "exit_status.hpp"
#include "support/http_receiver.hpp"
#include "tool/relay_database.hpp"
#include "tool/relay_program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using namespace once::testing;
using namespace std::chrono_literals;
namespace exit_status = once::command::exit_status;

namespace {

std::string const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
std::string const older_secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::set<std::string> ids_of(http_receiver const& receiver) {
    std::set<std::string> made;
    for (auto const& request : receiver.requests()) {
        made.insert(request.id());
    }
    return made;
}

} // namespace

TEST_CASE("relay posts each message to a webhook, signed, and says nothing of the secrets", "[relay]") {
    relay_database db{2};
    http_receiver receiver;
    temporary_folder const folder;
    db.publish(30);
    auto const headers =
        folder.write("headers", "# for the gateway\nAuthorization: Bearer hunter2\nX-From:  relay\n");
    once_program relay{{"relay", "s", "--to", "webhook", "--url", receiver.url(), "--headers-file", headers,
                        "--until-idle", "--verbose"},
                       {db.variable(), "ONCE_RELAY_SECRET=" + secret + " " + older_secret}};
    CHECK(relay.wait() == exit_status::ok);
    CHECK(ids_of(receiver) == db.ids());
    CHECK(receiver.request_count() == 30);
    for (auto const& request : receiver.requests()) {
        CHECK(once::verify_webhook({secret}, request.header("webhook-id"),
                                   request.header("webhook-timestamp"), request.body,
                                   request.header("webhook-signature")));
        CHECK(once::verify_webhook({older_secret}, request.header("webhook-id"),
                                   request.header("webhook-timestamp"), request.body,
                                   request.header("webhook-signature")));
        CHECK(request.header("authorization") == "Bearer hunter2");
        CHECK(request.header("x-from") == "relay");
    }
    auto const said = relay.output() + relay.log();
    for (auto const& hidden : {secret, older_secret, std::string{"hunter2"}}) {
        CHECK(said.find(hidden) == std::string::npos);
    }
}

TEST_CASE("a relay that is killed while it posts loses nothing: the receiver sees every id", "[relay]") {
    relay_database db;
    http_receiver receiver;
    temporary_folder const folder;
    auto const key = folder.write("secret", secret + "\n");
    db.publish(300);
    std::vector<std::string> const words{
        "relay", "s",       "--to", "webhook",          "--url", receiver.url(),      "--secret-file",
        key,     "--lease", "1s",   "--batch-messages", "20",    "--request-timeout", "300ms"};
    for (std::size_t const until : {40U, 120U}) {
        once_program relay{words, {db.variable()}};
        CHECK(wait_until([&] { return receiver.request_count() > until; }));
        relay.signal(SIGKILL);
        CHECK(relay.wait() == -SIGKILL);
    }
    once_program relay{words, {db.variable()}};
    CHECK(wait_until([&] { return ids_of(receiver) == db.ids(); }, 60s));
    REQUIRE(relay.logs("started")); // the one before may have left nothing to do
    CHECK(relay.stop() == exit_status::ok);
    // Repeats have the same bytes.
    std::map<std::string, std::string> bodies;
    for (auto const& request : receiver.requests()) {
        CHECK(bodies.emplace(request.id(), request.body).first->second == request.body);
    }
}

TEST_CASE("a relay waits for a receiver that is away, is not ready meanwhile, and goes on", "[relay]") {
    relay_database db;
    http_receiver receiver;
    receiver.go_away();
    db.publish(5);
    once_program relay{{"relay", "s", "--to", "webhook", "--url", receiver.url(), "--listen", "127.0.0.1:0",
                        "--pause-cap", "500ms"},
                       {db.variable()}};
    REQUIRE(relay.logs("the receiver is unavailable"));
    auto const url = relay.url();
    CHECK(wait_until([&] { return status_of(get(url, "/readyz")) == 503; }));
    CHECK(status_of(get(url, "/healthz")) == 200);
    CHECK_THAT(get(url, "/metrics"),
               ContainsSubstring("once_relay_receiver_unavailable{subscription=\"s\",slice=\"0\"} 1"));
    receiver.come_back();
    CHECK(wait_until([&] { return ids_of(receiver) == db.ids(); }));
    CHECK(relay.logs("takes messages again"));
    CHECK(wait_until([&] { return status_of(get(url, "/readyz")) == 200; }));
    CHECK(relay.stop() == exit_status::ok);
}

TEST_CASE("with --until-idle, messages that were not accepted are exit status 1", "[relay]") {
    relay_database db;
    http_receiver receiver;
    receiver.set_script([](http_request const&) { return http_answer{.status = 422}; });
    db.publish(1);
    std::vector<std::string> const words{"relay",        "s",           "--to", "webhook", "--url",
                                         receiver.url(), "--until-idle"};
    auto const result = db.run(words);
    CHECK(result.status == exit_status::found);
    CHECK_THAT(result.err, ContainsSubstring("not accepted subscription=s slice=0 retry=0 rejected=1"));
    receiver.go_away();
    db.publish(1);
    db.sql("select once.discard('s', message_id) from once.parked_message");
    CHECK(db.run(words).status == exit_status::found);
    receiver.come_back();
    receiver.set_script({});
}

TEST_CASE("a second signal ends a relay at once, although its receiver does not answer", "[relay]") {
    relay_database db;
    http_receiver receiver;
    receiver.set_script([](http_request const&) { return http_answer{.sent = http_answer::how::silent}; });
    db.publish(1);
    once_program relay{{"relay", "s", "--to", "webhook", "--url", receiver.url(), "--request-timeout", "5min",
                        "--lease", "1h"},
                       {db.variable()}};
    REQUIRE(wait_until([&] { return receiver.request_count() == 1; }));
    relay.signal(SIGTERM);
    REQUIRE(relay.logs("stopping"));
    CHECK_FALSE(relay.ended());
    // Until the first one is taken, a second one of its kind is the same signal.
    CHECK(wait_until([&] {
        relay.signal(SIGTERM);
        return relay.ended();
    }));
    CHECK(relay.wait() == -SIGTERM);
}
