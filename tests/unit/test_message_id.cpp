// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/message_id.hpp>

#include "text/random_ids.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <unordered_set>

using once::message_id;

TEST_CASE("all spellings of one UUID are one message id with one canonical text", "[message_id]") {
    std::string const canonical = "0192f0c1-8e4a-7abc-8def-0123456789ab";
    for (std::string const spelling :
         {"0192f0c1-8e4a-7abc-8def-0123456789ab", "0192F0C1-8E4A-7ABC-8DEF-0123456789AB",
          "{0192f0c1-8e4a-7abc-8def-0123456789ab}", "0192f0c18e4a7abc8def0123456789ab",
          "{0192F0C18E4A7ABC8DEF0123456789AB}"}) {
        INFO(spelling);
        CHECK(message_id::parse(spelling).to_string() == canonical);
        CHECK(message_id::parse(spelling) == message_id::parse(canonical));
        CHECK(std::hash<message_id>{}(message_id::parse(spelling)) ==
              std::hash<message_id>{}(message_id::parse(canonical)));
    }
    auto const id = message_id::parse(canonical);
    CHECK(message_id::from_bytes(id.bytes()) == id);
}

TEST_CASE("what is no UUID is refused by name and never shown", "[message_id]") {
    using namespace std::string_literals;
    for (std::string const& wrong :
         {""s, "17"s, "order-17"s, "0192f0c1-8e4a-7abc-8def-0123456789a"s,
          "0192f0c1-8e4a-7abc-8def-0123456789abc"s, "0192f0c1-8e4a-7abc-8def-0123456789ag"s,
          "0192f0c18-e4a-7abc-8def-0123456789ab"s, "0192f0c1_8e4a_7abc_8def_0123456789ab"s,
          "{0192f0c1-8e4a-7abc-8def-0123456789ab"s, "0192f0c1-8e4a-7abc-8def-0123456789ab}"s,
          " 0192f0c1-8e4a-7abc-8def-0123456789ab"s, "0192f0c1-8e4a-7abc-8def-0123456789ab\n"s,
          "0192f0c1-8e4a-7abc-8def-01234567\0009ab"s, "{}"s, "+192f0c1-8e4a-7abc-8def-0123456789ab"s,
          "0x92f0c1-8e4a-7abc-8def-0123456789ab"s, std::string(36, '-'),
          "urn:uuid:0192f0c1-8e4a-7abc-8def-0123456789ab"s, std::string(1'000'000, '0')}) {
        INFO(wrong.substr(0, 60));
        CHECK_FALSE(message_id::try_parse(wrong));
        try {
            static_cast<void>(message_id::parse(wrong));
            FAIL("accepted");
        } catch (once::invalid_argument const& e) {
            CHECK(e.field() == "message_id");
            CHECK((wrong.size() < 3 || std::string{e.what()}.find(wrong) == std::string::npos));
        }
    }
}

TEST_CASE("the nil UUID names no message, in any spelling", "[message_id]") {
    for (std::string const nil :
         {"00000000-0000-0000-0000-000000000000", "{00000000000000000000000000000000}"}) {
        CHECK_FALSE(message_id::try_parse(nil));
        CHECK_THROWS_AS(message_id::parse(nil), once::invalid_argument);
    }
    CHECK_THROWS_AS(message_id::from_bytes(message_id::byte_array{}), once::invalid_argument);
}

TEST_CASE("new ids differ, and say their version", "[message_id]") {
    std::unordered_set<message_id> seen;
    for (int i = 0; i < 1000; ++i) {
        auto const random = message_id::random();
        auto const ordered = message_id::time_ordered();
        CHECK(seen.insert(random).second);
        CHECK(seen.insert(ordered).second);
        CHECK(random.to_string()[14] == '4');
        CHECK(ordered.to_string()[14] == '7');
        CHECK(std::string{"89ab"}.find(random.to_string()[19]) != std::string::npos);
        CHECK(std::string{"89ab"}.find(ordered.to_string()[19]) != std::string::npos);
    }
}

TEST_CASE("ids that are drawn together differ, too, within one source and between two", "[message_id]") {
    constexpr std::size_t each = 500;
    once::detail::random_ids one;
    once::detail::random_ids other;
    std::unordered_set<message_id> seen;
    for (std::size_t i = 0; i < each; ++i) {
        for (auto const& id : {one.next(), other.next()}) {
            CHECK(id.to_string()[14] == '4');
            CHECK((id.bytes()[8] & std::byte{0xc0}) == std::byte{0x80});
            seen.insert(id);
        }
    }
    CHECK(seen.size() == 2 * each);
}

TEST_CASE("version 7 says when it was made, and sorts by it; others do not say", "[message_id]") {
    using namespace std::chrono;
    auto const before = floor<milliseconds>(system_clock::now());
    auto const id = message_id::time_ordered();
    auto const after = floor<milliseconds>(system_clock::now());
    REQUIRE(id.time());
    CHECK(*id.time() >= before);
    CHECK(*id.time() <= after);
    CHECK_FALSE(message_id::random().time());
    CHECK(message_id::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f").time() ==
          sys_time<milliseconds>{milliseconds{1645557742000}}); // the example of RFC 9562
    CHECK(message_id::parse("017f22e2-79b0-7000-8000-000000000000") < id);
}

// The same as message_id_from_name() of the schema: other languages can check theirs by these.
TEST_CASE("an id from a name is always the same, of version 8, and keeps sources apart", "[message_id]") {
    CHECK(message_id::from_name("stripe", "evt_1").to_string() == "0e209ba2-e9cc-84b2-87cf-ea5e44a1ece2");
    CHECK(message_id::from_name("ab", "c") != message_id::from_name("a", "bc"));
    CHECK_FALSE(message_id::from_name("stripe", "evt_1").time());
    CHECK_THROWS_AS(message_id::from_name("", "evt_1"), once::invalid_argument);
    CHECK_THROWS_AS(message_id::from_name("stripe", ""), once::invalid_argument);
}
