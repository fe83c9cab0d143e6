// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/wire_text.hpp>
#include <once/error.hpp>
#include <once/export.hpp>

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace once {

/// A moment as PostgreSQL keeps it: microseconds since 1970-01-01 00:00:00 UTC.
/// `timestamp::max()` is `infinity` ("never expires"), `timestamp::min()` is `-infinity`.
using timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// How the values of a column travel. What the server sends does not depend on DateStyle, TimeZone, bytea_output or
/// extra_float_digits of the session.
enum class column_form {
    /// Sent and read as the text of the column's type. The right one for a new specialisation unless its column is one
    /// of those below.
    text,
    /// Sent as raw bytes, read as hexadecimal digits without a prefix: `bytea`.
    bytes,
    /// Sent as text, read as microseconds since 1970 UTC, or the limits of int64 for the infinities: `timestamptz`.
    instant,
    /// Sent as text, read as days since 1970-01-01, or the limits of int32 for the infinities: `date`.
    date,
    /// Sent as text, read as the 16 hexadecimal digits of an IEEE 754 double: `double precision`, `real`. A number of
    /// another type (`numeric`) is read as `=` and its text.
    floating,
};

/// Thrown by a `column_type` for a value that it cannot write or read.
/**
 * It carries the reason only. The repository adds which column it was, and throws `once::invalid_argument` on the way
 * to the database and `once::corrupt_record` on the way back. So a text like "not a point" is enough; the value itself
 * does not belong in it, because errors are logged.
 */
class ONCE_EXPORT value_error : public error {
public:
    using error::error;
};

/// How a C++ type is kept in a column. Specialise it for your own type:
/**
 * @code
 *     struct colour {
 *         unsigned char red, green, blue;
 *         bool operator==(colour const&) const = default;
 *     };
 *
 *     template <>
 *     struct once::column_type<colour> { // a text column: "12,0,255"
 *         static constexpr once::column_form form = once::column_form::text;
 *         static std::string encode(colour const& c) {
 *             return std::to_string(c.red) + ',' + std::to_string(c.green) + ',' + std::to_string(c.blue);
 *         }
 *         static colour decode(std::string_view text) {
 *             colour c{};
 *             int used = 0;
 *             std::string const whole{text};
 *             if (std::sscanf(whole.c_str(), "%hhu,%hhu,%hhu%n", &c.red, &c.green, &c.blue, &used) != 3 ||
 *                 encode(c) != whole) {
 *                 throw once::value_error{"not a colour"};
 *             }
 *             return c;
 *         }
 *     };
 * @endcode
 *
 * If your type is a class around one value, or an enum, you need no specialisation: see `strong_typedef` and
 * `enum_names`.
 *
 * - `form` says how the column's values travel, and with that what `decode` is given.
 * - `encode` gives what goes to the server: the text of a value of the column's type, in UTF-8 without NUL, or the raw
 *   bytes when `form` is `bytes`. It throws `value_error` for what the column cannot keep: never write something else.
 * - `decode` reads what `form` promises, and throws `value_error` for what the C++ type cannot hold. It must lose
 *   nothing: encoded again, the value must be the same, since a repository writes what differs from what was read.
 * - Both may be called from any thread, and see no NULL: `std::optional` takes care of it.
 * - A type is looked up when a mapping that has a member of it is compiled; the specialisation must stand before that.
 *
 * | C++ | PostgreSQL |
 * | --- | --- |
 * | `bool` | boolean |
 * | integers except character types | smallint, integer, bigint; reads are range-checked |
 * | `float`, `double` | real, double precision, bit for bit; numeric where no digit is lost |
 * | `std::string` | text, varchar, uuid, numeric, enum types, json, …: the text as the server prints it |
 * | `std::chrono::sys_time` of seconds or finer | timestamptz; years 1 to 9999 and the infinities |
 * | `std::chrono::year_month_day` | date; years 1 to 9999, and the infinities as 32767-12-31 and -32767-01-01 |
 * | `nlohmann::json` | json (the text is kept as dumped), jsonb |
 * | `std::vector<std::byte>` | bytea |
 * | enums | their number, or text when `enum_names` is specialised |
 * | strong typedefs, see `strong_typedef` | as the value in it |
 * | `std::optional` of any of these | the same, or NULL |
 */
template <class T>
struct column_type;

/// A type with a `column_type`; NULL is for `std::optional` of it only.
/**
 * To check your own specialisation where you write it:
 * `static_assert(once::column_value<colour>);`. If it fails, compilers name the line below that does not hold.
 */
template <class T>
concept column_value = requires(T const& value, std::string_view text) {
    { column_type<T>::form } -> std::convertible_to<column_form>;
    { column_type<T>::encode(value) } -> std::same_as<std::string>;
    { column_type<T>::decode(text) } -> std::same_as<T>;
};

/// One value of an enum and its text in the database. The text is stored: once there are rows, do not change it.
template <class Enum>
struct enum_name {
    Enum value;
    std::string_view text;
};

/// Specialise it to keep an enum as text; a text that is not listed is a `corrupt_record`:
/**
 * @code
 *     template <> inline constexpr auto once::enum_names<status> =
 *         std::to_array<once::enum_name<status>>({{status::open, "open"}, {status::paid, "paid"}});
 * @endcode
 *
 * The column can be a `text` or an ENUM type of PostgreSQL. Without names an enum is kept as its number, which ties the
 * rows to the order of the enumerators, and tells a person who reads the table nothing.
 */
template <class Enum>
inline constexpr auto enum_names = nullptr;

/// A class around one value: it names `value_type`, is constructible from it, and gives it back from `value()`.
/**
 * It is kept as that value, so an id with its own type costs no specialisation:
 * @code
 *     class order_id {
 *     public:
 *         using value_type = std::int64_t;
 *         explicit order_id(std::int64_t number) : m_number{number} {}
 *         std::int64_t const& value() const { return m_number; }
 *
 *     private:
 *         std::int64_t m_number;
 *     };
 * @endcode
 * A constructor that refuses a value throws `value_error`; then a row with such a value is a `corrupt_record`.
 */
template <class T>
concept strong_typedef = std::is_class_v<T> && requires(T const& wrapped) {
    typename T::value_type;
    requires std::constructible_from<T, typename T::value_type>;
    { wrapped.value() } -> std::convertible_to<typename T::value_type const&>;
} && !std::same_as<T, std::optional<typename T::value_type>>;

namespace detail {

template <class T>
concept column_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

template <class Duration>
concept column_duration = std::signed_integral<typename Duration::rep> &&
                          std::ratio_less_equal_v<typename Duration::period, std::ratio<1>>;

} // namespace detail

/// `boolean`. Sent as `true` and `false`, which PostgreSQL also takes for a `text` column; read from `t` and `f`, so a
/// `text` column with these words is refused.
template <>
struct ONCE_EXPORT column_type<bool> {
    static constexpr column_form form = column_form::text;
    [[nodiscard]] static std::string encode(bool value);
    [[nodiscard]] static bool decode(std::string_view text);
};

/// Integers of any width, signed or not. What the server sends is checked against the range of the C++ type; what is
/// sent is checked by the server against that of the column. Character types are left out: a `char` could mean a number
/// or a letter.
template <detail::column_integer Integer>
struct column_type<Integer> {
    static constexpr column_form form = column_form::text;
    [[nodiscard]] static std::string encode(Integer value) { return std::to_string(value); }
    [[nodiscard]] static Integer decode(std::string_view text) {
        return detail::parse_integer<Integer>(text);
    }
};

/// `double precision`, bit for bit, NaN and the infinities included. The digits of a `numeric` that a double would
/// round are refused: make the member a `std::string`.
template <>
struct ONCE_EXPORT column_type<double> {
    static constexpr column_form form = column_form::floating;
    [[nodiscard]] static std::string encode(double value);
    [[nodiscard]] static double decode(std::string_view text);
};

/// `real`, bit for bit. A value of a `double precision` or `numeric` column that is not exactly a float is refused,
/// never rounded: an update would write the rounded number back.
template <>
struct ONCE_EXPORT column_type<float> {
    static constexpr column_form form = column_form::floating;
    [[nodiscard]] static std::string encode(float value);
    [[nodiscard]] static float decode(std::string_view text);
};

/// Text in UTF-8 without NUL, at which libpq would cut it. It also takes any type that has no C++ counterpart here
/// (`numeric`, `uuid`, `interval`, arrays): the text is what the server prints, and the server parses what is sent.
template <>
struct ONCE_EXPORT column_type<std::string> {
    static constexpr column_form form = column_form::text;
    [[nodiscard]] static std::string encode(std::string const& value);
    [[nodiscard]] static std::string decode(std::string_view text);
};

/// `bytea`: any bytes, NUL included. They are sent as they are; they come back as two digits for each byte.
template <>
struct ONCE_EXPORT column_type<std::vector<std::byte>> {
    static constexpr column_form form = column_form::bytes;
    [[nodiscard]] static std::string encode(std::vector<std::byte> const& value);
    [[nodiscard]] static std::vector<std::byte> decode(std::string_view text);
};

/// `json` or `jsonb`. What nlohmann::json would change is refused: a number with more digits than a double has, a key
/// that an object has twice. Make the member a `std::string` for such columns. The doubles in it are written so that
/// they read the same. A `json` column keeps the text as it was dumped; `jsonb` orders the keys, which compares equal.
template <>
struct ONCE_EXPORT column_type<nlohmann::json> {
    static constexpr column_form form = column_form::text;
    [[nodiscard]] static std::string encode(nlohmann::json const& value);
    [[nodiscard]] static nlohmann::json decode(std::string_view text);
};

/// `timestamptz`. A `timestamp` column has no time zone, so it is not a moment: make such a member a `std::string`.
/**
 * Finer than microseconds is cut off on the way to the database. What does not fit on the way back is refused: a
 * fraction for `sys_seconds`, or the year 2300 for nanoseconds. `max()` and `min()` are the infinities, whatever the
 * duration is.
 */
template <detail::column_duration Duration>
struct column_type<std::chrono::sys_time<Duration>> {
    using moment = std::chrono::sys_time<Duration>;
    static constexpr column_form form = column_form::instant;

    /// @throws once::value_error outside the years 1 to 9999
    [[nodiscard]] static std::string encode(moment value) {
        using namespace std::chrono;
        if (value == moment::max()) {
            return "infinity";
        }
        if (value == moment::min()) {
            return "-infinity";
        }
        auto const whole = floor<duration<std::int64_t>>(value);
        detail::check_writable(whole);
        return detail::format_instant(sys_time<microseconds>{whole} + floor<microseconds>(value - whole));
    }

    /// @throws once::value_error when `Duration` is too coarse or too short for the moment
    [[nodiscard]] static moment decode(std::string_view text) {
        using namespace std::chrono;
        auto const read = timestamp{microseconds{detail::parse_integer<std::int64_t>(text)}};
        if (read == timestamp::max()) {
            return moment::max();
        }
        if (read == timestamp::min()) {
            return moment::min();
        }
        if constexpr (std::ratio_less_v<typename Duration::period, std::micro>) {
            if (read > floor<microseconds>(moment::max()) || read <= ceil<microseconds>(moment::min())) {
                throw value_error{"the moment is out of range of the member's type"};
            }
            return moment{read};
        } else {
            auto const cut = floor<Duration>(read);
            if (cut != read) {
                throw value_error{"the moment is finer than the member's type"};
            }
            return cut;
        }
    }
};

/// `date`. Days that no calendar has (February 30) are refused on the way to the database.
template <>
struct ONCE_EXPORT column_type<std::chrono::year_month_day> {
    static constexpr column_form form = column_form::date;
    [[nodiscard]] static std::string encode(std::chrono::year_month_day value);
    [[nodiscard]] static std::chrono::year_month_day decode(std::string_view text);
};

/// Enums: by `enum_names` where they have some, else the number of the underlying type.
/**
 * A number without an enumerator is read as it is, because flags are combined that way. A text that is not listed is
 * refused, and so is a value without a name on the way to the database: a newer program may have written it, and this
 * one would not know what to do with it.
 */
template <class Enum>
    requires std::is_enum_v<Enum>
struct column_type<Enum> {
    using number = column_type<std::underlying_type_t<Enum>>;
    static constexpr bool named =
        !std::same_as<std::remove_cvref_t<decltype(enum_names<Enum>)>, std::nullptr_t>;
    static constexpr column_form form = column_form::text;

    [[nodiscard]] static std::string encode(Enum value) {
        if constexpr (named) {
            for (auto const& [known, text] : enum_names<Enum>) {
                if (known == value) {
                    return std::string{text};
                }
            }
            throw value_error{"the enum value has no name in once::enum_names"};
        } else {
            return number::encode(static_cast<std::underlying_type_t<Enum>>(value));
        }
    }

    [[nodiscard]] static Enum decode(std::string_view text) {
        if constexpr (named) {
            for (auto const& [value, known] : enum_names<Enum>) {
                if (known == text) {
                    return value;
                }
            }
            throw value_error{"the text is not in once::enum_names"};
        } else {
            return static_cast<Enum>(number::decode(text));
        }
    }
};

/// Strong typedefs, as the value in them, with its form and its checks.
template <strong_typedef Wrapped>
struct column_type<Wrapped> {
    using inner = column_type<typename Wrapped::value_type>;
    static constexpr column_form form = inner::form;
    [[nodiscard]] static std::string encode(Wrapped const& value) { return inner::encode(value.value()); }
    [[nodiscard]] static Wrapped decode(std::string_view text) { return Wrapped(inner::decode(text)); }
};

} // namespace once
