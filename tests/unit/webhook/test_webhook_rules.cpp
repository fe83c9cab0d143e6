// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// What the webhook publisher decides without a network.
#include <once/error.hpp>
#include <once/webhook_publisher.hpp>

#include "support/publisher_conformance.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;

namespace {

// The example of the Standard Webhooks specification and its libraries.
constexpr char const* secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char const* id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr char const* timestamp = "1614265330";
constexpr char const* payload = R"({"test": 2432232314})";
constexpr char const* signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr char const* other_secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::chrono::system_clock::time_point at(long seconds) {
    return std::chrono::system_clock::time_point{std::chrono::seconds{seconds}};
}

} // namespace

TEST_CASE("the signature is that of Standard Webhooks", "[webhook]") {
    CHECK(webhook_signature({secret}, id, timestamp, payload) == signature);
}

TEST_CASE("each secret signs, so that secrets can be changed", "[webhook]") {
    auto const both = webhook_signature({other_secret, secret}, id, timestamp, payload);
    CHECK(both.ends_with(std::string{" "} + signature));
    auto const now = at(1614265330);
    CHECK(verify_webhook({secret}, id, timestamp, payload, both, now));
    CHECK(verify_webhook({other_secret}, id, timestamp, payload, both, now));
    CHECK(verify_webhook({other_secret, secret}, id, timestamp, payload, signature, now));
}

TEST_CASE("a signature of anything else is refused", "[webhook]") {
    auto const now = at(1614265330);
    REQUIRE(verify_webhook({secret}, id, timestamp, payload, signature, now));
    CHECK_FALSE(verify_webhook({secret}, id, timestamp, R"({"test": 2432232315})", signature, now));
    CHECK_FALSE(verify_webhook({secret}, "msg_other", timestamp, payload, signature, now));
    CHECK_FALSE(verify_webhook({secret}, id, "1614265331", payload, signature, now));
    CHECK_FALSE(verify_webhook({other_secret}, id, timestamp, payload, signature, now));
    CHECK_FALSE(verify_webhook({secret}, id, timestamp, payload, "", now));
    CHECK_FALSE(
        verify_webhook({secret}, id, timestamp, payload, "v2" + std::string{signature}.substr(2), now));
    CHECK_FALSE(verify_webhook({}, id, timestamp, payload, signature, now));
}

TEST_CASE("a signature that is old, or from the future, is refused", "[webhook]") {
    CHECK(verify_webhook({secret}, id, timestamp, payload, signature, at(1614265330 + 300)));
    CHECK_FALSE(verify_webhook({secret}, id, timestamp, payload, signature, at(1614265330 + 301)));
    CHECK_FALSE(verify_webhook({secret}, id, timestamp, payload, signature, at(1614265330 - 301)));
    for (auto const* const wrong : {"", "x", "1614265330x", " 1614265330", "99999999999999999999"}) {
        CHECK_FALSE(verify_webhook({secret}, id, wrong, payload, signature, at(1614265330)));
    }
}

TEST_CASE("options that cannot work are refused without showing a secret", "[webhook]") {
    auto const refuses = [](std::string const& url, webhook_options options, std::string const& field) {
        try {
            webhook_publisher const made{url, std::move(options)};
            FAIL_CHECK("accepted; expected a complaint about " << field);
        } catch (invalid_argument const& e) {
            CHECK(e.field() == field);
            CHECK(std::string{e.what()}.find("hunter2") == std::string::npos);
        }
    };
    for (auto const* const url :
         {"", "hunter2", "ftp://user:hunter2@host/", "file:///etc/hunter2", "http://", "http://host/a b",
          "http://host/\r\nX: hunter2", "http://h\xc3\xb6st/", "gopher://x"}) {
        CAPTURE(url);
        refuses(url, {}, "webhook_publisher.url");
    }
    constexpr auto url = "http://127.0.0.1:9/";
    for (auto const* const wrong : {"", "hunter2", "whsec_", "whsec_hunter2",
                                    "whsec_aHVudGVyMg==", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"}) {
        CAPTURE(wrong);
        refuses(url, {.secrets = {wrong}}, "webhook_options.secrets");
    }
    refuses(url, {.headers = {{"a b", "hunter2"}}}, "webhook_options.headers");
    refuses(url, {.headers = {{"authorization", "hunter2\r\nX: 1"}}}, "webhook_options.headers");
    refuses(url, {.parallel = 0}, "webhook_options.parallel");
    refuses(url, {.parallel = 257}, "webhook_options.parallel");
    refuses(url, {.connect_timeout = 0ms}, "webhook_options.connect_timeout");
    refuses(url, {.request_timeout = 61min}, "webhook_options.request_timeout");
    refuses(url, {.max_retry_after = -1ms}, "webhook_options.max_retry_after");
    refuses(url, {.public_addresses_only = true, .proxy = "http://127.0.0.1:8"},
            "webhook_options.public_addresses_only");
}
