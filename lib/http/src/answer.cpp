// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/http/answer.hpp>
#include <once/http/problem.hpp>
#include <once/http/request.hpp>

#include "header_name.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace once::http {

namespace {

constexpr std::array<std::string_view, 10> connection_headers{
    "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "TE",
    "Trailer",    "Transfer-Encoding", "Upgrade",          "Content-Length",     "Date"};

// The names in the values of Connection, which are lists with commas.
std::vector<std::string> named_by_connection(std::vector<header> const& headers) {
    std::vector<std::string> names;
    for (auto rest : header_values(headers, "Connection")) {
        while (!rest.empty()) {
            auto const end = std::min(rest.find(','), rest.size());
            auto name = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            while (!name.empty() && (name.front() == ' ' || name.front() == '\t')) {
                name.remove_prefix(1);
            }
            while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) {
                name.remove_suffix(1);
            }
            names.emplace_back(name);
        }
    }
    return names;
}

response replay(reply const& reply) {
    auto answer = reply.has_response() ? reply.response() : response{.status = 204};
    answer.headers = without_connection_headers(std::move(answer.headers));
    for (std::string_view const name : {std::string_view{"Cache-Control"}, std::string_view{"Expires"},
                                        std::string_view{"Set-Cookie"}, replayed_header}) {
        take_headers(answer.headers, name);
    }
    answer.headers.emplace_back("Cache-Control", "no-store");
    answer.headers.emplace_back(replayed_header, "true");
    return answer;
}

} // namespace

std::vector<header> take_headers(std::vector<header>& headers, std::string_view name) {
    std::vector<header> taken;
    std::vector<header> kept;
    for (auto& each : headers) {
        (detail::same_name(each.first, name) ? taken : kept).push_back(std::move(each));
    }
    headers = std::move(kept);
    return taken;
}

std::vector<header> without_connection_headers(std::vector<header> headers) {
    auto const named = named_by_connection(headers);
    std::erase_if(headers, [&](header const& h) {
        auto const is_it = [&](std::string_view name) { return detail::same_name(h.first, name); };
        return std::ranges::any_of(connection_headers, is_it) || std::ranges::any_of(named, is_it);
    });
    return headers;
}

response answer(reply const& reply, options const& options) {
    switch (reply.outcome()) {
    case outcome::done: {
        auto made = reply.response();
        made.headers = without_connection_headers(std::move(made.headers));
        return made;
    }
    case outcome::replayed:
        return replay(reply);
    case outcome::in_progress:
        return problem_response(problem::in_progress, options.problem_base, reply.retry_after());
    case outcome::key_reused:
        return problem_response(problem::key_reused, options.problem_base, {});
    case outcome::refused:
        return problem_response(problem::refused, options.problem_base, {});
    case outcome::lease_lost:
        return problem_response(problem::lease_lost, options.problem_base, options.retry_after);
    case outcome::unknown:
        break;
    }
    return problem_response(problem::unknown, options.problem_base, options.retry_after);
}

} // namespace once::http
