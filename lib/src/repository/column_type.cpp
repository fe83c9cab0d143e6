// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/column_type.hpp>

#include "text/encoding.hpp"
#include "text/text_rules.hpp"
#include "text/utc.hpp"

#include <nlohmann/json.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <system_error>

namespace once {

namespace {

constexpr auto latest_date = std::chrono::year::max() / std::chrono::December / 31;
constexpr auto earliest_date = std::chrono::year::min() / std::chrono::January / 1;

/// @throws once::value_error
std::string bytes_from_hex(std::string_view digits) {
    auto bytes = detail::from_hex(digits);
    if (!bytes) {
        throw value_error{"not hexadecimal digits"};
    }
    return *std::move(bytes);
}

/// A decimal number without the ways to write it: digits without zeros at either end, and where the point stands.
struct decimal {
    bool negative = false;
    std::string digits{};
    std::int64_t exponent = 0; // of a point in front of the digits
    bool operator==(decimal const&) const = default;
};

/// @param text a number as JSON and `numeric` write it
decimal decimal_of(std::string_view text) {
    decimal made;
    if (text.starts_with('-')) {
        made.negative = true;
        text.remove_prefix(1);
    }
    bool behind_point = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if (c == 'e' || c == 'E') {
            auto power = text.substr(i + 1);
            power.remove_prefix(power.starts_with('+') ? 1 : 0);
            std::int64_t value = 0;
            std::from_chars(power.data(), power.data() + power.size(), value);
            made.exponent += value;
            break;
        }
        if (c == '.') {
            behind_point = true;
        } else if (c == '0' && made.digits.empty()) {
            made.exponent -= behind_point ? 1 : 0;
        } else {
            made.digits += c;
            made.exponent += behind_point ? 0 : 1;
        }
    }
    made.digits.erase(made.digits.find_last_not_of('0') + 1);
    return made.digits.empty() ? decimal{} : made;
}

/// Follows a JSON text and stops where nlohmann::json would keep something else than what is written.
class lossless_json final : public nlohmann::json_sax<nlohmann::json> {
public:
    /// Why it stopped, if that was for a loss.
    [[nodiscard]] char const* loss() const noexcept { return m_loss; }

    bool null() override { return true; }
    bool boolean(bool /*value*/) override { return true; }
    bool number_integer(number_integer_t /*value*/) override { return true; }
    bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
    bool number_float(number_float_t value, string_t const& text) override {
        // As it would be written again.
        bool const kept =
            std::isfinite(value) && decimal_of(text) == decimal_of(nlohmann::json(value).dump());
        return kept ||
               refuse("a number in the JSON has more digits than a double; make the member a std::string");
    }
    bool string(string_t& /*value*/) override { return true; }
    bool binary(binary_t& /*value*/) override { return true; }
    bool start_object(std::size_t /*elements*/) override {
        m_keys.emplace_back();
        return true;
    }
    bool key(string_t& name) override {
        return m_keys.back().insert(name).second ||
               refuse("an object in the JSON has a key twice; make the member a std::string");
    }
    bool end_object() override {
        m_keys.pop_back();
        return true;
    }
    bool start_array(std::size_t /*elements*/) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t /*position*/, std::string const& /*token*/,
                     nlohmann::detail::exception const& problem) override {
        constexpr int number_overflow = 406;
        return problem.id == number_overflow
                   ? refuse("a number in the JSON is out of range of a double; make the member a std::string")
                   : false;
    }

private:
    bool refuse(char const* why) {
        m_loss = why;
        return false;
    }

    std::vector<std::set<std::string>> m_keys;
    char const* m_loss = nullptr;
};

template <class Floating>
std::string shortest(Floating value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value > 0 ? "Infinity" : "-Infinity";
    }
    char text[64];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// Reads a decimal that the type holds without rounding. (Of the infinities and NaN there are no digits.)
template <class Floating>
Floating exact(std::string_view text) {
    for (auto const special :
         {std::numeric_limits<Floating>::quiet_NaN(), std::numeric_limits<Floating>::infinity(),
          -std::numeric_limits<Floating>::infinity()}) {
        if (text == shortest(special)) {
            return special;
        }
    }
    Floating value{};
    auto const end = text.data() + text.size();
    auto const [stopped, problem] = std::from_chars(text.data(), end, value);
    if (stopped != end || problem == std::errc::invalid_argument) {
        throw value_error{"not a number"};
    }
    if (problem != std::errc{} || decimal_of(text) != decimal_of(shortest(value))) {
        throw value_error{"the number has more digits than the member's type; make the member a std::string"};
    }
    return value;
}

} // namespace

namespace detail {

void refuse_integer(bool out_of_range) {
    throw value_error{out_of_range ? "the number is out of range of the member's type"
                                   : "not a whole number"};
}

void check_writable(std::chrono::sys_time<std::chrono::duration<std::int64_t>> moment) {
    using namespace std::chrono;
    if (moment < sys_days{year{1} / January / 1} || moment >= sys_days{year{10'000} / January / 1}) {
        throw value_error{"a moment must be in the years 1 to 9999, or max() or min() for the infinities"};
    }
}

std::string format_instant(std::chrono::sys_time<std::chrono::microseconds> moment) {
    return utc_text(moment, ' ') + "+00";
}

} // namespace detail

std::string column_type<bool>::encode(bool value) {
    return value ? "true" : "false";
}

bool column_type<bool>::decode(std::string_view text) {
    if (text != "t" && text != "f") {
        throw value_error{"not a boolean"};
    }
    return text == "t";
}

std::string column_type<double>::encode(double value) {
    return shortest(value);
}

double column_type<double>::decode(std::string_view text) {
    if (text.starts_with('=')) {
        return exact<double>(text.substr(1));
    }
    if (text.size() != 16) {
        throw value_error{"not the digits of a double"};
    }
    auto const data = bytes_from_hex(text);
    std::uint64_t bits = 0;
    for (auto const byte : detail::bytes_of(data)) {
        bits = bits << 8U | std::to_integer<std::uint64_t>(byte);
    }
    return std::bit_cast<double>(bits);
}

std::string column_type<float>::encode(float value) {
    return shortest(value);
}

float column_type<float>::decode(std::string_view text) {
    if (text.starts_with('=')) {
        return exact<float>(text.substr(1));
    }
    auto const wide = column_type<double>::decode(text);
    if (std::isnan(wide)) {
        return std::numeric_limits<float>::quiet_NaN();
    }
    // A conversion out of range would be undefined, so the range comes first.
    if (std::isfinite(wide) && std::abs(wide) > static_cast<double>(std::numeric_limits<float>::max())) {
        throw value_error{"the number is out of range of the member's type"};
    }
    auto const narrow = static_cast<float>(wide);
    if (std::bit_cast<std::uint64_t>(static_cast<double>(narrow)) != std::bit_cast<std::uint64_t>(wide)) {
        throw value_error{"the number is finer than the member's type"};
    }
    return narrow;
}

std::string column_type<std::string>::encode(std::string const& value) {
    if (value.find('\0') != std::string::npos) {
        throw value_error{"a text must not contain NUL"};
    }
    if (!detail::is_utf8(value)) {
        throw value_error{"a text must be UTF-8"};
    }
    return value;
}

std::string column_type<std::string>::decode(std::string_view text) {
    return std::string{text};
}

std::string column_type<std::vector<std::byte>>::encode(std::vector<std::byte> const& value) {
    std::string raw;
    raw.reserve(value.size());
    for (auto const byte : value) {
        raw += static_cast<char>(byte);
    }
    return raw;
}

std::vector<std::byte> column_type<std::vector<std::byte>>::decode(std::string_view text) {
    auto const data = bytes_from_hex(text);
    auto const bytes = detail::bytes_of(data);
    return {bytes.begin(), bytes.end()};
}

std::string column_type<nlohmann::json>::encode(nlohmann::json const& value) {
    try {
        return value.dump();
    } catch (nlohmann::json::type_error const&) {
        throw value_error{"a text inside of the JSON is not UTF-8"};
    }
}

nlohmann::json column_type<nlohmann::json>::decode(std::string_view text) {
    lossless_json check;
    if (!nlohmann::json::sax_parse(text, &check)) {
        throw value_error{check.loss() != nullptr ? check.loss() : "not JSON"};
    }
    return nlohmann::json::parse(text);
}

std::string column_type<std::chrono::year_month_day>::encode(std::chrono::year_month_day value) {
    if (value == latest_date) {
        return "infinity";
    }
    if (value == earliest_date) {
        return "-infinity";
    }
    if (!value.ok() || value.year() < std::chrono::year{1} || value.year() > std::chrono::year{9999}) {
        throw value_error{"a date must exist, and be in the years 1 to 9999"};
    }
    return detail::utc_date(value);
}

std::chrono::year_month_day column_type<std::chrono::year_month_day>::decode(std::string_view text) {
    using namespace std::chrono;
    auto const days_since_1970 = detail::parse_integer<std::int32_t>(text);
    if (days_since_1970 == std::numeric_limits<std::int32_t>::max()) {
        return latest_date;
    }
    if (days_since_1970 == std::numeric_limits<std::int32_t>::min()) {
        return earliest_date;
    }
    sys_days const day{days{days_since_1970}};
    if (day >= sys_days{latest_date} || day <= sys_days{earliest_date}) {
        throw value_error{"the date is out of range of the member's type"};
    }
    return day;
}

} // namespace once
