// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/error.hpp>
#include <once/options.hpp>
#include <once/request.hpp>

#include "wire/validate_response.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;
using std::chrono::milliseconds;

namespace {

/// The field that `check` refuses, or "accepted". Checks on the way that the text names it and does not show `value`.
std::string refused_field(std::function<void()> const& check, std::string const& value = {}) {
    try {
        check();
        return "accepted";
    } catch (once::invalid_argument const& e) {
        std::string const text = e.what();
        INFO(text);
        CHECK(text.find(e.field()) != std::string::npos);
        CHECK((value.size() < 3 || text.find(value) == std::string::npos));
        return e.field();
    }
}

struct text_case {
    char const* what;
    std::string text;
    bool good;
};

std::vector<text_case> const key_texts{
    {"one byte", "k", true},
    {"255 bytes", std::string(255, 'k'), true},
    {"space inside", "POST /orders alice", true},
    {"every printable character", "!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", true},
    {"missing", "", false},
    {"256 bytes", std::string(256, 'k'), false},
    {"very long", std::string(100'000, 'k'), false},
    {"NUL inside", "sec\0ret"s, false},
    {"NUL at the end", "secret\0"s, false},
    {"invalid UTF-8", "sec\xffret", false},
    {"valid UTF-8", "caf\xc3\xa9-secret", false},
    {"zero-width space", "sec\xe2\x80\x8bret", false},
    {"leading space", " secret", false},
    {"trailing space", "secret ", false},
    {"only a space", " ", false},
    {"TAB", "sec\tret", false},
    {"CR", "sec\rret", false},
    {"LF at the end", "secret\n", false},
    {"0x1f", "sec\x1fret", false},
    {"0x7f", "sec\x7fret", false},
    {"0x80", "sec\x80ret", false},
};

} // namespace

TEST_CASE("key and scope are 1 to 255 bytes of printable ASCII without outer spaces", "[validation]") {
    for (auto const& row : key_texts) {
        INFO(row.what);
        CHECK(refused_field(
                  [&] {
                      once::validate(
                          once::request{.scope = "s", .key = row.text, .fingerprint = once::no_fingerprint});
                  },
                  row.text) == (row.good ? "accepted" : "request.key"));
        CHECK(refused_field(
                  [&] {
                      once::validate(
                          once::request{.scope = row.text, .key = "k", .fingerprint = once::no_fingerprint});
                  },
                  row.text) == (row.good ? "accepted" : "request.scope"));
    }
}

TEST_CASE("every option has its bounds and an error names the option", "[validation]") {
    using options = once::call_options;
    constexpr auto most = milliseconds::max();
    constexpr auto least = milliseconds::min();
    struct row {
        char const* field;
        std::function<void(options&)> set;
        bool good;
    };
    auto const time = [](auto options::* member, milliseconds value) {
        return [=](options& o) { o.*member = value; };
    };
    std::vector<row> const rows{
        {"call_options.wait", time(&options::wait, 0ms), true},
        {"call_options.wait", time(&options::wait, 1h), true},
        {"call_options.wait", time(&options::wait, -1ms), false},
        {"call_options.wait", time(&options::wait, 1h + 1ms), false},
        {"call_options.wait", time(&options::wait, most), false},
        {"call_options.wait", time(&options::wait, least), false},
        {"call_options.retention", time(&options::retention, 30s), true},
        {"call_options.retention", time(&options::retention, 29s), false}, // shorter than the deadline
        {"call_options.retention", time(&options::retention, 366 * 24h), true},
        {"call_options.retention", time(&options::retention, 999ms), false},
        {"call_options.retention", time(&options::retention, 0ms), false},
        {"call_options.retention", time(&options::retention, -1ms), false},
        {"call_options.retention", time(&options::retention, 366 * 24h + 1ms), false},
        {"call_options.retention", time(&options::retention, most), false},
        {"call_options.retention", time(&options::retention, least), false},
        {"call_options.deadline", time(&options::deadline, 100ms), true},
        {"call_options.deadline", time(&options::deadline, 1h), true},
        {"call_options.deadline", time(&options::deadline, 99ms), false},
        {"call_options.deadline", time(&options::deadline, 0ms), false},
        {"call_options.deadline", time(&options::deadline, -5s), false},
        {"call_options.deadline", time(&options::deadline, 1h + 1ms), false},
        {"call_options.deadline", time(&options::deadline, most), false},
        {"call_options.reply_timeout", time(&options::reply_timeout, 100ms), true},
        {"call_options.reply_timeout", time(&options::reply_timeout, 99ms), false},
        {"call_options.reply_timeout", time(&options::reply_timeout, most), false},
        {"call_options.max_attempts", [](options& o) { o.max_attempts = 1; }, true},
        {"call_options.max_attempts", [](options& o) { o.max_attempts = 1000; }, true},
        {"call_options.max_attempts", [](options& o) { o.max_attempts = 0; }, false},
        {"call_options.max_attempts", [](options& o) { o.max_attempts = -1; }, false},
        {"call_options.max_attempts", [](options& o) { o.max_attempts = 1001; }, false},
        {"call_options.max_response_bytes", [](options& o) { o.max_response_bytes = 0; }, true},
        {"call_options.max_response_bytes", [](options& o) { o.max_response_bytes = 256U << 20U; }, true},
        {"call_options.max_response_bytes", [](options& o) { o.max_response_bytes = (256U << 20U) + 1; },
         false},
    };
    CHECK(refused_field([] { once::validate(options{}); }) == "accepted");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        INFO("row " << i << ": " << rows[i].field);
        options changed;
        rows[i].set(changed);
        CHECK(refused_field([&] { once::validate(changed); }) == (rows[i].good ? "accepted" : rows[i].field));
    }
}

TEST_CASE("every part of a response has its bounds and an error names the part", "[validation]") {
    using once::body;
    using once::response;
    std::vector<once::header> const many(64, {"n", "v"});
    std::vector<once::header> too_many(65, {"n", "v"});
    auto const one = [](std::string name, std::string value) {
        return response{.headers = {{std::move(name), std::move(value)}}};
    };
    struct row {
        char const* what;
        response made;
        std::string refused;
    };
    std::vector<row> const rows{
        {"status 100", {.status = 100}, "accepted"},
        {"status 599", {.status = 599}, "accepted"},
        {"status 99", {.status = 99}, "response.status"},
        {"status 600", {.status = 600}, "response.status"},
        {"status 0", {.status = 0}, "response.status"},
        {"negative status", {.status = std::numeric_limits<int>::min()}, "response.status"},
        {"64 headers", {.headers = many}, "accepted"},
        {"65 headers", {.headers = too_many}, "response.headers"},
        {"8192 header bytes", one("name", std::string(8188, 'v')), "accepted"},
        {"8193 header bytes", one("name", std::string(8189, 'v')), "response.headers"},
        {"empty header name", one("", "secret"), "response.headers"},
        {"space in a header name", one("se cret", "v"), "response.headers"},
        {"colon in a header name", one("sec:ret", "v"), "response.headers"},
        {"line break in a header name", one("sec\nret", "v"), "response.headers"},
        {"non-ASCII header name", one("s\xc3\xa9", "v"), "response.headers"},
        {"empty header value", one("n", ""), "accepted"},
        {"non-ASCII header value", one("n", "caf\xc3\xa9"), "accepted"},
        {"CR LF in a header value", one("n", "a\r\nSet-Cookie: secret"), "response.headers"},
        {"NUL in a header value", one("n", "sec\0ret"s), "response.headers"},
        {"0x7f in a header value", one("n", "sec\x7fret"), "response.headers"},
        {"header value that is not UTF-8", one("n", "sec\xffret"), "response.headers"},
        {"no content type", {.body = body::bytes("x", "")}, "accepted"},
        {"255 bytes of content type", {.body = body::bytes("", std::string(255, 't'))}, "accepted"},
        {"256 bytes of content type",
         {.body = body::bytes("", std::string(256, 't'))},
         "response.body.content_type"},
        {"line break in the content type",
         {.body = body::bytes("", "text/plain\r\n")},
         "response.body.content_type"},
        {"body at its limit", {.body = body::text(std::string(1000, 'b'))}, "accepted"},
        {"body over its limit", {.body = body::text(std::string(1001, 'b'))}, "response.body"},
    };
    for (auto const& row : rows) {
        INFO(row.what);
        CHECK(refused_field([&] { once::detail::validate(row.made, 1000); }, "secret") == row.refused);
    }
}

TEST_CASE("the options of a database have their bounds, and nothing connects to find out", "[validation]") {
    auto const with = [](std::function<void(once::database_options&)> const& set) {
        return refused_field([&] {
            once::database_options options;
            set(options);
            once::database const made{"host=/nowhere", options};
        });
    };
    CHECK(with([](auto&) {}) == "accepted");
    for (std::size_t const count :
         {std::size_t{0}, std::size_t{1001}, std::numeric_limits<std::size_t>::max()}) {
        CHECK(with([&](auto& o) { o.max_connections = count; }) == "database_options.max_connections");
    }
    for (milliseconds const time :
         {milliseconds{99}, milliseconds{0}, milliseconds{-1}, milliseconds::max()}) {
        CHECK(with([&](auto& o) { o.connect_timeout = time; }) == "database_options.connect_timeout");
    }
    for (std::string const& name :
         {""s, "Once"s, "o'nce"s, "o\"nce"s, "on.ce"s, "on ce"s, "on\0ce"s, "1once"s, "public"s,
          std::string(50, 'a'), "caf\xc3\xa9"s, "once;drop schema public"s}) {
        CHECK(with([&](auto& o) { o.schema = name; }) == "database_options.schema");
    }
    CHECK(with([](auto& o) { o.schema = std::string(49, 'a'); }) == "accepted");
}

TEST_CASE("a connection string is checked without showing what may be a password", "[validation]") {
    for (std::string const& text :
         {"password=secret nonsense=1"s, "host=/x password='secret"s, "dbname=a\0password=secret"s,
          "postgresql://me:secret@host:port:1/x?nope=1"s, "secret"s}) {
        CHECK(refused_field([&] { once::database const made{text}; }, "secret") == "conninfo");
    }
}
