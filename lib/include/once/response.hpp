// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/export.hpp>

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace once {

class body;

namespace detail {
/// nlohmann::json. The headers of this library only declare it: its definition takes as long to compile as all of them,
/// and a file that passes JSON has included it. Because it depends on T, the compiler looks at it only once there is a
/// T.
template <class T>
using json_for = std::conditional_t<never<T>, T, nlohmann::json>;

/// Whether `<nlohmann/json.hpp>` is included where a T is used as JSON.
template <class T>
concept json_included = requires { sizeof(json_for<T>); };
} // namespace detail

/// What `body` can be made from: anything that nlohmann/json can make a JSON value of.
/**
 * Text is left out on purpose, since it could mean a JSON string, JSON text or plain text: say which with
 * `body::json_text`, `body::text` or `nlohmann::json(text)`. Include `<nlohmann/json.hpp>` where you pass a value.
 */
template <class T>
concept json_representable =
    !std::same_as<std::remove_cvref_t<T>, body> && !std::convertible_to<T const&, std::string_view> &&
    !std::same_as<std::remove_cvref_t<T>, char> && detail::json_included<T> &&
    std::constructible_from<nlohmann::json, T const&>;

/// The body of a response: bytes and their media type. What is stored comes back byte for byte.
/**
 * @code
 * once::body const made{nlohmann::json{{"order", "A-1"}}};           // application/json
 * once::body const kept = once::body::json_text(R"({"order":"A-1"})"); // JSON that is text already
 * once::body const said = once::body::text("booked");                  // text/plain; charset=utf-8
 * once::body const seen = once::body::bytes(pdf, "application/pdf");   // anything
 * @endcode
 *
 * JSON that the database can keep goes into a column of type `json`, so that people can query it, and comes back as it
 * was written, blanks and order of keys included. Everything else, and JSON that PostgreSQL refuses (for a zero byte in
 * a string), goes into a `bytea`.
 *
 * @par Thread safety
 * A value: distinct objects are independent.
 */
class ONCE_EXPORT body {
public:
    /// Empty: no bytes, no media type.
    body() = default;

    /// JSON of `value`, as `nlohmann::json(value).dump()` writes it.
    /// @throws once::invalid_argument when `value` holds a string that is not UTF-8.
    template <json_representable T>
    body(T const& value)
        : body{from_json(detail::json_for<T>(value))} {} // NOLINT(google-explicit-constructor)

    /// Refused by the compiler: a text alone does not say what it is.
    template <std::convertible_to<std::string_view> Text>
        requires(!std::same_as<Text, body> && !json_representable<Text>)
    body(Text const&) { // NOLINT(google-explicit-constructor)
        static_assert(detail::never<Text>,
                      "once: say what a text in response.body is: write once::body::text(...), "
                      "once::body::json_text(...) or nlohmann::json(...)");
    }

    /// Refused by the compiler: JSON in a file that does not include it.
    template <class T>
        requires(!std::same_as<T, body> && !std::convertible_to<T const&, std::string_view> &&
                 !detail::json_included<T>)
    body(T const&) { // NOLINT(google-explicit-constructor)
        static_assert(detail::json_included<T>,
                      "once: a body is made of this value as JSON: #include <nlohmann/json.hpp>");
    }

    /// JSON text that exists already; kept as it is, not parsed here. A text that turns out to be no JSON is stored as
    /// bytes, so it still comes back as it was.
    [[nodiscard]] static body json_text(std::string text) { return {std::move(text), "application/json"}; }

    /// Plain text in UTF-8. To send another text type, such as `text/csv`, use `bytes`.
    [[nodiscard]] static body text(std::string text) {
        return {std::move(text), "text/plain; charset=utf-8"};
    }

    /// Any bytes, NUL included, with their media type. They are stored as `bytea` unless the type says JSON.
    [[nodiscard]] static body bytes(std::string data, std::string content_type) {
        return {std::move(data), std::move(content_type)};
    }

    /// The bytes. For JSON, its text in UTF-8.
    [[nodiscard]] std::string const& data() const noexcept { return m_data; }
    /// The media type, as an HTTP server would send it; empty for a body without one.
    [[nodiscard]] std::string const& content_type() const noexcept { return m_content_type; }
    /// Whether there are no bytes; there may be a media type.
    [[nodiscard]] bool empty() const noexcept { return m_data.empty(); }

    /// Reads the JSON of the body as a T: a `nlohmann::json`, or anything with a `from_json` of nlohmann/json. It is
    /// parsed at each call, whatever `content_type` says.
    /// @throws nlohmann::json::exception when it is not JSON, or not that of a T.
    template <class T = nlohmann::json>
    [[nodiscard]] T as() const {
        static_assert(detail::json_included<T>, "once: body::as reads JSON: #include <nlohmann/json.hpp>");
        return detail::json_for<T>::parse(m_data).template get<T>();
    }

    /// Byte for byte: two JSON texts with the same meaning differ when their blanks do.
    bool operator==(body const&) const = default;

private:
    body(std::string data, std::string content_type)
        : m_data{std::move(data)}, m_content_type{std::move(content_type)} {}

    [[nodiscard]] static body from_json(nlohmann::json const& value);

    std::string m_data;
    std::string m_content_type;
};

/// Name and value of one header. Names may come twice (`Link`), and keep their order.
using header = std::pair<std::string, std::string>;

/// What a request is answered with, now and on every repeat.
/**
 * Limits, checked before anything is sent: `status` 100 to 599; at most 64 headers with 8 KiB of names and values,
 * no control characters; content type up to 255 bytes; the body up to `call_options::max_response_bytes`.
 *
 * It need not be used with HTTP: `status` decides only what is stored (`call_options::stored`) and is given back.
 */
struct response {
    /// HTTP-like status: below 400 is a success, 400 to 499 a client error, from 500 a server error. With the default
    /// of `call_options::stored`, an error rolls the transaction back, and the key is free again.
    int status = 200;
    /// Sent again with every repeat. Leave out what belongs to one connection or one user agent (Set-Cookie).
    std::vector<header> headers{};
    once::body body{};

    /// Status, headers in their order, and the body byte for byte.
    bool operator==(response const&) const = default;
};

} // namespace once
