// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "pages.hpp"

#include <utility>

namespace shop {

namespace {

std::string escaped(std::string_view text) {
    std::string made;
    for (char const c : text) {
        switch (c) {
        case '&':
            made += "&amp;";
            break;
        case '<':
            made += "&lt;";
            break;
        case '>':
            made += "&gt;";
            break;
        case '"':
            made += "&quot;";
            break;
        case '\'':
            made += "&#39;";
            break;
        default:
            made += c;
        }
    }
    return made;
}

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --line: #8886; --accent: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --accent: #a8c7fa; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 34rem; padding: 1.5rem 1rem; font: 1.0625rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.2rem; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, select, button { font: inherit; width: 100%; min-height: 2.75rem; padding: .4rem .6rem; border-radius: .5rem; }
input, select { background: Field; color: FieldText; border: 1px solid #888; margin-top: .25rem; }
button { margin-top: 1.5rem; border: 0; background: var(--accent); color: Canvas; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
output { display: block; min-height: 3rem; margin-top: 1rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .4rem 1rem; padding: 1rem;
     border: 1px solid var(--line); border-radius: .5rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
)";

std::string page(std::string_view title, std::string_view content) {
    std::string made{"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"};
    made += escaped(title);
    made += "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>";
    made += style;
    made += "</style>\n</head>\n<body>\n<main>\n<h1>";
    made += escaped(title);
    made += "</h1>\n";
    made += content;
    made += "</main>\n</body>\n</html>\n";
    return made;
}

std::string described(order const& o) {
    return escaped(o.number) + ": " + std::to_string(o.quantity) + " × " + escaped(o.item);
}

} // namespace

std::string form_page(std::string const& key) {
    std::string content{"<p>Press the button as often as you like: it places one order.</p>\n"
                        "<form method=\"post\" action=\"/orders\">\n"
                        "<input type=\"hidden\" name=\"key\" value=\""};
    content += escaped(key);
    content += "\">\n<label for=\"item\">Item</label>\n<select id=\"item\" name=\"item\">";
    for (auto const item : items) {
        content += "<option>" + escaped(item) + "</option>";
    }
    content += "</select>\n"
               "<label for=\"quantity\">Quantity</label>\n"
               "<input id=\"quantity\" name=\"quantity\" type=\"number\" inputmode=\"numeric\" min=\"1\" "
               "max=\"99\" value=\"1\" required>\n"
               "<label for=\"name\">Your name</label>\n"
               "<input id=\"name\" name=\"name\" autocomplete=\"name\" maxlength=\"100\" required>\n"
               "<button id=\"send\">Place order</button>\n"
               "<output id=\"status\" role=\"status\" aria-live=\"polite\"></output>\n"
               "</form>\n<script src=\"/order_form.js\"></script>\n";
    return page("Order", content);
}

std::string order_page(order const& placed, std::vector<order> const& all) {
    std::string content{
        "<p>Thank you. Reload this page, go back, press again: it stays one order.</p>\n<dl>\n"};
    content += "<dt>Number</dt><dd id=\"number\">" + escaped(placed.number) + "</dd>\n";
    content += "<dt>Item</dt><dd>" + escaped(placed.item) + "</dd>\n";
    content += "<dt>Quantity</dt><dd>" + std::to_string(placed.quantity) + "</dd>\n";
    content += "<dt>Name</dt><dd>" + escaped(placed.name) +
               "</dd>\n</dl>\n<h2>All your orders</h2>\n<ul id=\"all\">\n";
    for (auto const& each : all) {
        content += "<li><a href=\"/orders/" + escaped(each.number) + "\">" + described(each) + "</a></li>\n";
    }
    content += "</ul>\n<p><a id=\"new\" href=\"/\">Place another order</a></p>\n";
    return page("Order " + placed.number, content);
}

std::string message_page(std::string_view title, std::string_view text) {
    return page(title, "<p id=\"message\" role=\"alert\">" + escaped(text) +
                           "</p>\n<p><a id=\"new\" href=\"/\">Open a new form</a></p>\n");
}

std::string again_page(std::string_view title, std::string_view text, form_fields const& fields) {
    std::string content{"<p id=\"message\" role=\"alert\">"};
    content += escaped(text);
    content += "</p>\n<form method=\"post\" action=\"/orders\">\n";
    // In the order of the first form: another order would be another request with the same key.
    for (auto const& [name, value] :
         {std::pair{"key", fields.key}, std::pair{"item", fields.item},
          std::pair{"quantity", fields.quantity}, std::pair{"name", fields.name}}) {
        content +=
            std::string{"<input type=\"hidden\" name=\""} + name + "\" value=\"" + escaped(value) + "\">\n";
    }
    content += "<button id=\"send\">Ask again</button>\n</form>\n";
    return page(title, content);
}

} // namespace shop
