// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "times.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace once::command {

namespace {

using namespace std::chrono;

/// The number at the beginning, which is taken off.
std::optional<int> take_number(std::string_view& text) {
    int value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || value < 0) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    return value;
}

bool take(std::string_view& text, std::string_view what) {
    bool const there = text.starts_with(what);
    text.remove_prefix(there ? what.size() : 0);
    return there;
}

std::optional<microseconds> take_clock(std::string_view& text) {
    auto const hour = take_number(text);
    if (!hour || !take(text, ":")) {
        return std::nullopt;
    }
    auto const minute = take_number(text);
    if (!minute || !take(text, ":")) {
        return std::nullopt;
    }
    auto const second = take_number(text);
    if (!second) {
        return std::nullopt;
    }
    microseconds made = hours{*hour} + minutes{*minute} + seconds{*second};
    if (take(text, ".")) {
        auto unit = microseconds{100'000};
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
            made += unit * (text.front() - '0');
            unit /= 10;
        }
    }
    return made;
}

std::string amount(long long number, char const* unit) {
    return std::to_string(number) + ' ' + unit;
}

// The two largest units, the second one only where it tells something.
std::string in_units(microseconds time, bool short_form) {
    auto const s = duration_cast<seconds>(time).count();
    auto const with = [&](std::string made, long long rest, char const* unit) {
        return short_form || rest == 0 ? made : made + ' ' + amount(rest, unit);
    };
    if (s < 60) {
        return amount(s, "s");
    }
    if (s < 3'600) {
        return with(amount(s / 60, "min"), s % 60, "s");
    }
    if (s < 86'400) {
        return with(amount(s / 3'600, "h"), s / 60 % 60, "min");
    }
    return with(amount(s / 86'400, s < 2 * 86'400 ? "day" : "days"), s / 3'600 % 24, "h");
}

} // namespace

std::optional<time_of_day> read_time(std::string_view text) {
    auto const y = take_number(text);
    if (!y || !take(text, "-")) {
        return std::nullopt;
    }
    auto const m = take_number(text);
    if (!m || !take(text, "-")) {
        return std::nullopt;
    }
    auto const d = take_number(text);
    if (!d || !take(text, " ")) {
        return std::nullopt;
    }
    auto const clock = take_clock(text);
    if (!clock || text != "+00" || *y > 9'999) {
        return std::nullopt;
    }
    return sys_days{year{*y} / *m / *d} + *clock;
}

std::string iso_time(std::string_view text) {
    std::string made{text};
    if (read_time(text)) {
        made[made.find(' ')] = 'T';
        made.replace(made.size() - 3, 3, "Z");
    }
    return made;
}

std::string iso_seconds(std::string_view text) {
    auto made = iso_time(text);
    if (auto const point = made.find('.'); point != std::string::npos && made.back() == 'Z') {
        made.replace(point, made.size() - point, "Z");
    }
    return made;
}

std::string relative_time(time_of_day at, time_of_day now) {
    bool const past = at <= now;
    auto const distance = past ? now - at : at - now;
    if (distance < seconds{1}) {
        return "now";
    }
    auto const text = in_units(distance, true);
    return past ? text + " ago" : "in " + text;
}

std::string short_interval(std::string_view text) {
    std::string_view rest = text;
    microseconds sum{0};
    for (auto copy = rest; auto const number = take_number(copy); rest = copy) {
        if (take(copy, " days") || take(copy, " day")) {
            sum += days{*number};
        } else {
            break;
        }
        take(copy, " ");
    }
    if (!rest.empty()) {
        auto const clock = take_clock(rest);
        if (!clock || !rest.empty()) {
            return std::string{text};
        }
        sum += *clock;
    }
    if (sum < milliseconds{1}) {
        return amount(sum.count(), "us");
    }
    if (sum < seconds{1}) {
        return amount(duration_cast<milliseconds>(sum).count(), "ms");
    }
    if (sum < seconds{10}) {
        std::array<char, 16> made{};
        auto const tenths = duration_cast<milliseconds>(sum).count() / 100;
        auto const size = std::snprintf(
            made.data(), made.size(), "%lld.%lld s", // NOLINT(cppcoreguidelines-pro-type-vararg)
            static_cast<long long>(tenths / 10), static_cast<long long>(tenths % 10));
        return {made.data(), static_cast<std::size_t>(size)};
    }
    return in_units(sum, false);
}

} // namespace once::command
