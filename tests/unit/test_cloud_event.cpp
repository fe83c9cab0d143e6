// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/cloud_event.hpp>
#include <once/error.hpp>

#include "support/publisher_conformance.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <map>

using namespace once;
using namespace once::testing;

namespace {

delivery example(body payload) {
    auto message = make_delivery("Größe \"1%\"", std::move(payload));
    message.id = message_id::parse("0193639c-4b5a-7c3d-8e9f-0123456789ab");
    message.published_at = {};
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    return message;
}

} // namespace

TEST_CASE("a structured CloudEvent holds the attributes, and JSON as the exact text",
          "[publisher][cloud_event]") {
    auto const text = structured_cloud_event(example(body::json_text(R"({"b":1.50, "a":[]})")),
                                             {.source = "/shop", .type_prefix = "com.example."});
    CHECK(
        text ==
        R"({"specversion":"1.0","id":"0193639c-4b5a-7c3d-8e9f-0123456789ab","source":"/shop",)"
        R"("type":"com.example.orders.placed","time":"1970-01-01T00:00:00.000000Z","partitionkey":"Größe \"1%\"",)"
        R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
        R"("datacontenttype":"application/json","data":{"b":1.50, "a":[]}})");
}

TEST_CASE("a structured CloudEvent holds any other payload as base64", "[publisher][cloud_event]") {
    for (auto const& [payload, base64] : std::map<std::string, std::string>{
             {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe", "//4="}}) {
        auto const json = nlohmann::json::parse(structured_cloud_event(example(body::bytes(payload, ""))));
        CHECK(json.at("data_base64") == base64);
        CHECK(json.at("datacontenttype") == "application/octet-stream");
        CHECK(json.at("source") == "/orders");
        CHECK_FALSE(json.contains("data"));
    }
    auto const broken = nlohmann::json::parse(structured_cloud_event(example(body::json_text("{"))));
    CHECK(broken.at("data_base64") == "ew==");
}

TEST_CASE("a binary CloudEvent percent-encodes what a header cannot hold", "[publisher][cloud_event]") {
    std::map<std::string, std::string> headers;
    for (auto const& [name, value] : binary_cloud_event(example(body::text("hello")))) {
        CHECK(headers.emplace(name, value).second);
    }
    CHECK(headers == std::map<std::string, std::string>{
                         {"ce-specversion", "1.0"},
                         {"ce-id", "0193639c-4b5a-7c3d-8e9f-0123456789ab"},
                         {"ce-source", "/orders"},
                         {"ce-type", "orders.placed"},
                         {"ce-time", "1970-01-01T00:00:00.000000Z"},
                         {"ce-partitionkey", "Gr%C3%B6%C3%9Fe%20%221%25%22"},
                         {"ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                         {"Content-Type", "text/plain; charset=utf-8"}});
}

TEST_CASE("a CloudEvent says which id the application gave, beside the one that it goes by",
          "[publisher][cloud_event]") {
    auto message = example(body::text("hello"));
    CHECK_FALSE(nlohmann::json::parse(structured_cloud_event(message)).contains("givenid"));
    message.given_id = message_id::parse("00000000-0000-4000-8000-00000000000a");
    auto const json = nlohmann::json::parse(structured_cloud_event(message));
    CHECK(json.at("givenid") == "00000000-0000-4000-8000-00000000000a");
    CHECK(json.at("id") == "0193639c-4b5a-7c3d-8e9f-0123456789ab");
}

TEST_CASE("a text that is not UTF-8 makes no CloudEvent", "[publisher][cloud_event]") {
    auto message = example(body{});
    message.key = "\xff";
    CHECK_THROWS_AS(structured_cloud_event(message), invalid_argument);
}
