// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "http/http_message.hpp"

#include <algorithm>

namespace once::command {

namespace {

char const* reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

http_request read_line(std::string_view line) {
    auto const method_end = line.find(' ');
    auto const target_end = line.rfind(' ');
    if (method_end == std::string_view::npos || target_end == method_end ||
        !line.substr(target_end + 1).starts_with("HTTP/1.")) {
        return {.refused = 400};
    }
    auto const method = line.substr(0, method_end);
    auto const target = line.substr(method_end + 1, target_end - method_end - 1);
    if (target.empty() || target.front() != '/') {
        return {.refused = 400};
    }
    if (method != "GET" && method != "HEAD") {
        return {.refused = 405};
    }
    return {.head = method == "HEAD", .path = std::string{target.substr(0, target.find('?'))}};
}

} // namespace

std::optional<http_request> read_request(std::string_view bytes, std::size_t most_bytes) {
    auto const end = bytes.find("\r\n\r\n");
    if (std::min(end, bytes.size()) > most_bytes) {
        return http_request{.refused = 431};
    }
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    return read_line(bytes.substr(0, bytes.find("\r\n")));
}

std::string to_bytes(http_page const& page, bool head_only) {
    std::string made = "HTTP/1.1 " + std::to_string(page.status) + ' ' + reason_of(page.status) +
                       "\r\nContent-Type: " + page.content_type +
                       "\r\nContent-Length: " + std::to_string(page.body.size()) +
                       "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    made += page.status == 405 ? "Allow: GET, HEAD\r\n" : "";
    made += "Connection: close\r\n\r\n";
    return head_only ? made : made + page.body;
}

http_page error_page(int status) {
    return {status,
            std::string{reason_of(status)} + (status == 404 ? ": the page / says what is here\n" : "\n")};
}

} // namespace once::command
