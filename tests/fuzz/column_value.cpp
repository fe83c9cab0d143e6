// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/column_type.hpp>

#include "fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <chrono>

using namespace once::fuzzing;

namespace {

template <class T>
void read(std::string_view text) {
    try {
        static_cast<void>(once::column_type<T>::decode(text));
    } catch (once::value_error const&) {
        return; // what the server never sends for such a column is refused, with this exception and no other
    }
}

// For types whose values go and come in the same form.
template <class T>
void read_and_write(std::string_view text) {
    try {
        auto const value = once::column_type<T>::decode(text);
        claim(once::column_type<T>::decode(once::column_type<T>::encode(value)) == value,
              "what was read is written so that it reads the same");
    } catch (once::value_error const&) {
        return;
    }
}

template <class Moment>
void read_moment(std::string_view text) {
    try {
        auto const value = once::column_type<Moment>::decode(text);
        static_cast<void>(once::column_type<Moment>::encode(value));
    } catch (once::value_error const&) {
        return;
    }
}

} // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input from{data, size};
    auto const type = from.byte();
    auto const text = from.rest();
    switch (type % 14) {
    case 0:
        read<bool>(text);
        break;
    case 1:
        read_and_write<std::int16_t>(text);
        break;
    case 2:
        read_and_write<std::int64_t>(text);
        break;
    case 3:
        read_and_write<std::uint32_t>(text);
        break;
    case 4:
        read<double>(text);
        break;
    case 5:
        read<float>(text);
        break;
    case 6:
        read_and_write<std::string>(text);
        break;
    case 7:
        read<std::vector<std::byte>>(text);
        break;
    case 8:
        read<nlohmann::json>(text);
        break;
    case 9:
        read_moment<once::timestamp>(text);
        break;
    case 10:
        read_moment<std::chrono::sys_seconds>(text);
        break;
    case 11:
        read_moment<std::chrono::sys_time<std::chrono::nanoseconds>>(text);
        break;
    case 12:
        read_moment<std::chrono::year_month_day>(text);
        break;
    default:
        read_and_write<std::int8_t>(text);
        break;
    }
    return 0;
}
