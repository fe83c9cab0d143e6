// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client_events.hpp"

#include <nlohmann/json.hpp>

namespace demo {

namespace {

nlohmann::json about(char const* event, std::string_view action, std::string_view variant,
                     once::request const& request) {
    return {{"event", event},
            {"action", action},
            {"variant", variant},
            {"scope", request.scope},
            {"key", request.key}};
}

} // namespace

nlohmann::json sent(std::string_view action, std::string_view variant, once::request const& request) {
    return about("sent", action, variant, request);
}

nlohmann::json answered(std::string_view action, std::string_view variant, once::request const& request,
                        once::reply const& got) {
    auto event = about("answer", action, variant, request);
    event["outcome"] = once::to_string(got.outcome());
    event["in_doubt"] = got.was_in_doubt();
    event["committed"] = got.committed();
    if (got.has_response()) {
        auto const& response = got.response();
        event["status"] = response.status;
        event["headers"] = response.headers;
        event["body"] = response.body.data();
    }
    return event;
}

nlohmann::json failed(std::string_view action, std::string_view variant, once::request const& request,
                      std::string_view why) {
    auto event = about("answer", action, variant, request);
    event["outcome"] = "failed";
    event["what"] = why;
    return event;
}

} // namespace demo
