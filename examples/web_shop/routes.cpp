// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "routes.hpp"

#include <once/http.hpp>

#include "form_key.hpp"
#include "http_adapter.hpp"
#include "pages.hpp"
#include "visitor.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <optional>
#include <utility>
#include <variant>

namespace shop {

namespace {

constexpr std::string_view html = "text/html; charset=utf-8";
constexpr std::string_view problem_json = "application/problem+json";

once::response html_response(int status, std::string page) {
    return {.status = status, .body = once::body::bytes(std::move(page), std::string{html})};
}

form_fields fields_of(httplib::Request const& from) {
    return {.key = from.get_param_value("key"),
            .item = from.get_param_value("item"),
            .quantity = from.get_param_value("quantity"),
            .name = from.get_param_value("name")};
}

/// In the form that who asks can read: a page for people, a problem document for programs.
once::response complaint(int status, std::string_view title, std::string_view text) {
    return {.status = status,
            .headers = {{"Cache-Control", "no-store"}},
            .body = once::body::bytes(
                nlohmann::json{{"title", title}, {"status", status}, {"detail", text}}.dump(),
                std::string{problem_json})};
}

/// What the library tells programs, said to people; nothing for what the shop has written itself.
std::optional<std::pair<std::string_view, std::string_view>> said_to_people(std::string_view type) {
    static constexpr std::array<std::array<std::string_view, 3>, 5> words{{
        {"in_progress", "Still working on it",
         "Your order is being placed. Ask again in a moment; it stays one order."},
        {"unknown", "No answer from our database",
         "Ask again, and you will see whether your order was placed."},
        {"deadline_exceeded", "Too busy", "Your order was not placed. Please ask again."},
        {"key_reused", "This form was sent before",
         "It had other contents then, and that order stands. Open a new form for another order."},
        {"key_invalid", "This form is damaged", "Please open a new form."},
    }};
    for (auto const& [word, title, text] : words) {
        if (type.ends_with(":" + std::string{word})) {
            return std::pair{title, text};
        }
    }
    return std::nullopt;
}

/// For a person, a page in place of a problem document; with a button where the same request may be sent again.
once::response readable(once::response made, httplib::Request const& from) {
    bool const for_people = from.get_header_value("Accept").find("text/html") != std::string::npos;
    if (!for_people || made.body.content_type() != problem_json) {
        return made;
    }
    auto const problem = made.body.as();
    auto title = problem.at("title").get<std::string>();
    auto text = problem.at("detail").get<std::string>();
    if (auto const better = said_to_people(problem.value("type", ""))) {
        title = better->first;
        text = better->second;
    }
    bool const again = made.status == 409 || made.status == 503;
    made.body = once::body::bytes(
        again ? again_page(title, text, fields_of(from)) : message_page(title, text), std::string{html});
    return made;
}

/// What protects every page: no foreign scripts, no frames, no guessing of types.
void protect(httplib::Response& to) {
    to.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src "
                                             "'self'; connect-src 'self'; img-src data:; "
                                             "form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    to.set_header("X-Content-Type-Options", "nosniff");
    to.set_header("Referrer-Policy", "same-origin");
}

using handler = std::function<once::response(httplib::Request const&)>;

/// An exception is for the log; the visitor learns that something failed, and nothing else.
httplib::Server::Handler guarded(handler handle) {
    return [handle = std::move(handle)](httplib::Request const& request, httplib::Response& to) {
        once::response made;
        try {
            made = handle(request);
        } catch (std::exception const& e) {
            std::cerr << "web_shop: " << e.what() << '\n';
            made = complaint(500, "Something failed", "It is our mistake. Please try again later.");
        }
        protect(to);
        send(readable(std::move(made), request), to);
    };
}

once::response show_form(once::database& db, httplib::Request const& from) {
    auto who = visitor_of(db, from.get_header_value("Cookie"));
    once::response made;
    if (!who) {
        auto const arrived = welcome(db);
        who = arrived.who;
        made.headers.emplace_back("Set-Cookie", arrived.set_cookie);
    }
    // Not no-store: the browser would ask for a new form when the visitor goes back, and get a new key with it. With
    // no-cache it shows the old form again, and a new one where the visitor follows a link.
    made.headers.emplace_back("Cache-Control", "private, no-cache");
    made.body = once::body::bytes(form_page(issue_form_key(db, *who)), std::string{html});
    return made;
}

// [region: place order]
once::response place_order(once::database& db, httplib::Request const& from, route_options const& options) {
    auto const who = visitor_of(db, from.get_header_value("Cookie"));
    if (!who) {
        return complaint(403, "No form was opened", "Please open the form first, with cookies allowed.");
    }
    auto request = to_once(from);
    request.principal = who->principal();
    auto const fields = fields_of(from);
    if (!from.has_header("Idempotency-Key")) {
        request.key = fields.key; // without JavaScript: the hidden field
    }
    // The key of a form is a one-time token of this visitor: another's is refused.
    once::http::options const how{.token_purpose = form_purpose, .call = {.wait = options.wait}};
    auto const answer = [&](once::transaction& tx) -> once::response {
        auto const [asked, wrong] = check_order(
            from.get_param_value("item"), from.get_param_value("quantity"), from.get_param_value("name"));
        if (!asked) {
            return complaint(400, "The order is not complete", wrong);
        }
        auto const number = place(tx, *who, *asked);
        tx.exec("select pg_sleep($1)", pqxx::params{std::chrono::duration<double>{options.slowness}.count()});
        // Post, redirect, get: a reload of what is shown then asks for the order and does not send the form.
        return {.status = 303, .headers = {{"Location", "/orders/" + number}}};
    };
    return once::http::execute(db, request, answer, how);
}
// [endregion]

once::response show_order(once::database& db, httplib::Request const& from) {
    if (auto const who = visitor_of(db, from.get_header_value("Cookie"))) {
        auto const all = orders_of(db, *who);
        auto const found = std::ranges::find(all, from.matches[1].str(), &order::number);
        if (found != all.end()) {
            auto made = html_response(200, order_page(*found, all));
            made.headers.emplace_back("Cache-Control", "private, no-cache");
            return made;
        }
    }
    return complaint(404, "There is no such order", "Or it is not yours.");
}

} // namespace

void add_routes(httplib::Server& server, once::database& db, route_options const& options) {
    server.Get("/", guarded([&db](auto const& from) { return show_form(db, from); }));
    server.Post("/orders",
                guarded([&db, options](auto const& from) { return place_order(db, from, options); }));
    server.Get(R"(/orders/([A-Z0-9-]{1,20}))",
               guarded([&db](auto const& from) { return show_order(db, from); }));
    server.Get("/order_form.js", guarded([](auto const&) -> once::response {
                   return {.headers = {{"Cache-Control", "no-cache"}},
                           .body = once::body::bytes(std::string{order_form_script}, "text/javascript")};
               }));
}

} // namespace shop
