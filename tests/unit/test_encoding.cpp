// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "text/encoding.hpp"
#include "text/utc.hpp"
#include "wire/pg_time.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <string>
#include <string_view>

using namespace once::detail;
using namespace std::chrono_literals;

namespace {

std::string encoded(std::string_view text) {
    return to_base64(bytes_of(text));
}

std::string encoded_for_urls(std::string_view text) {
    return to_base64url(bytes_of(text));
}

} // namespace

TEST_CASE("base64 is that of RFC 4648, with padding", "[text]") {
    CHECK(encoded("") == "");
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foob") == "Zm9vYg==");
    CHECK(encoded("fooba") == "Zm9vYmE=");
    CHECK(encoded("foobar") == "Zm9vYmFy");
    CHECK(encoded("\xfb\xff\xfe") == "+//+");
}

TEST_CASE("base64url is that of RFC 4648, without padding", "[text]") {
    CHECK(encoded_for_urls("") == "");
    CHECK(encoded_for_urls("f") == "Zg");
    CHECK(encoded_for_urls("fo") == "Zm8");
    CHECK(encoded_for_urls("foo") == "Zm9v");
    CHECK(encoded_for_urls("foobar") == "Zm9vYmFy");
    CHECK(encoded_for_urls("\xfb\xff\xfe") == "-__-");
}

TEST_CASE("all bytes come back from their hexadecimal digits, and nothing comes from other characters",
          "[text]") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all += static_cast<char>(byte);
    }
    auto const digits = to_hex(bytes_of(all));
    CHECK(digits.size() == 512);
    CHECK(digits.starts_with("000102"));
    CHECK(digits.ends_with("fdfeff"));
    CHECK(from_hex(digits) == all);
    CHECK(from_hex("") == "");
    CHECK(from_hex("0aFf") == std::string_view{"\x0a\xff", 2});
    for (auto const* const wrong : {"0", "0g", "g0", "0x", " 00", "00 ", "0/", "0:", "0@", "0G", "0`"}) {
        INFO(wrong);
        CHECK_FALSE(from_hex(wrong).has_value());
    }
}

TEST_CASE("a moment is written in UTC with all of its microseconds, also before 1970", "[text]") {
    using namespace std::chrono;
    CHECK(utc_date(2026y / 1 / 31) == "2026-01-31");
    CHECK(utc_date(1y / 1 / 1) == "0001-01-01");
    sys_time<microseconds> const late = sys_days{2026y / 1 / 31} + 23h + 59min + 59s + 1us;
    CHECK(utc_text(late, 'T') == "2026-01-31T23:59:59.000001");
    CHECK(utc_text(sys_days{1970y / 1 / 1} - 1us, ' ') == "1969-12-31 23:59:59.999999");
    CHECK(utc_text(sys_days{9999y / 12 / 31}, 'T') == "9999-12-31T00:00:00.000000");
}

TEST_CASE("the protocol's times count from 2000", "[text]") {
    using namespace std::chrono;
    CHECK(to_pg_time(sys_days{2000y / 1 / 1}) == 0);
    CHECK(to_pg_time(sys_days{1970y / 1 / 1}) == -946'684'800'000'000);
    CHECK(from_pg_time(1) == sys_days{2000y / 1 / 1} + 1us);
}
