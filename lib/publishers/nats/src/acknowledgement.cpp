// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "acknowledgement.hpp"

#include <nlohmann/json.hpp>

namespace once::nats {

namespace {

// The error code of JetStream that is about the message itself.
constexpr int message_exceeds_maximum = 10054;

} // namespace

detail::broker_answer judge(std::size_t place, std::string_view acknowledgement) {
    detail::broker_answer made{.place = place, .answer = {.result = publish_result::retry}};
    auto const json = nlohmann::json::parse(acknowledgement, nullptr, false);
    if (!json.is_object()) {
        made.answer.error = "what came is no acknowledgement of JetStream";
        return made;
    }
    auto const error = json.find("error");
    if (error == json.end()) {
        bool const stored = json.contains("seq") && json.contains("stream");
        made.answer = {.result = stored ? publish_result::accepted : publish_result::retry,
                       .error = stored ? "" : "what came is no acknowledgement of JetStream"};
        return made;
    }
    auto const field = [&](char const* name) {
        return error->is_object() && error->contains(name) ? error->at(name) : nlohmann::json{};
    };
    auto const description = field("description");
    auto const text = description.is_string() ? description.get<std::string>() : "no description";
    auto const err_code = field("err_code");
    auto const code = err_code.is_number_integer() ? err_code.get<int>() : 0;
    constexpr std::size_t longest = 200;
    made.answer.error = "JetStream: " + text.substr(0, longest) + " (error " + std::to_string(code) + ")";
    if (code == message_exceeds_maximum) {
        made.answer.result = publish_result::rejected;
        made.answer.error += ": larger than max_msg_size of the stream";
    } else {
        made.about_all = true; // a full stream, no leader, another stream than expected
    }
    return made;
}

detail::broker_answer nobody_takes(std::size_t place, std::string const& subject) {
    return {.place = place,
            .answer = {.result = publish_result::retry,
                       .error = "no stream takes the subject " + subject +
                                ", or JetStream is not enabled for this account"},
            .about_all = true};
}

} // namespace once::nats
