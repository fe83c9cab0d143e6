// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/http/problem.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace once::http {

namespace {

struct description {
    std::string_view word;
    int status;
    std::string_view title;
    std::string_view detail;
};

description describe(problem value) noexcept {
    switch (value) {
    case problem::key_missing:
        return {"key_missing", 400, "Idempotency-Key is missing", explain(key_defect::missing)};
    case problem::key_invalid:
        return {"key_invalid", 400, "Idempotency-Key is not valid", explain(key_defect::malformed)};
    case problem::in_progress:
        return {"in_progress", 409, "The first request is still running",
                "A request with this key is being processed. Send the same request again, with the same key, "
                "after "
                "the time in Retry-After."};
    case problem::key_reused:
        return {"key_reused", 422, "Idempotency-Key was used for another request",
                "This key came with a different request before. Nothing was done. Use a new key for a new "
                "request, "
                "and repeat a request without any change."};
    case problem::deadline_exceeded:
        return {"deadline_exceeded", 503, "No time to process the request",
                "Nothing was done. Send the same request again, with the same key, after the time in "
                "Retry-After."};
    case problem::unavailable:
        return {
            "unavailable", 503, "The database is not available",
            "Nothing was done. Send the same request again, with the same key if it had one, after the time "
            "in Retry-After."};
    case problem::refused:
        return {"refused", 403, "The token is not valid",
                "Nothing was done. A token is good for one person, one purpose and a limited time; ask for a "
                "new one."};
    case problem::lease_lost:
        return {"lease_lost", 503, "Another process does this work now",
                "Nothing was done. Send the same request again, with the same key, after the time in "
                "Retry-After."};
    case problem::unknown_without_key:
        return {"unknown_without_key", 500, "The outcome is unknown",
                "The request was processed or not; that could not be found out. Look before you send it "
                "again: it "
                "carried no key, so a repeat may be a second request."};
    case problem::unknown:
        break;
    }
    return {"unknown", 503, "The outcome is not known yet",
            "The request was processed once or not at all. Send the same request again, with the same key, "
            "after the "
            "time in Retry-After: the answer is then definite."};
}

response refusal(description const& what, std::string_view base, std::string_view detail) {
    nlohmann::ordered_json const content{{"type", std::string{base} + std::string{what.word}},
                                         {"title", what.title},
                                         {"status", what.status},
                                         {"detail", detail}};
    return {.status = what.status,
            .headers = {{"Cache-Control", "no-store"}},
            .body = body::bytes(content.dump(), "application/problem+json")};
}

} // namespace

std::string_view to_string(problem value) noexcept {
    return describe(value).word;
}

int status_of(problem value) noexcept {
    return describe(value).status;
}

response problem_response(problem value, std::string_view base, std::chrono::milliseconds retry_after) {
    auto const what = describe(value);
    auto answer = refusal(what, base, what.detail);
    if (what.status == 409 || what.status == 503) {
        auto const seconds =
            std::max(std::chrono::ceil<std::chrono::seconds>(retry_after), std::chrono::seconds{1});
        answer.headers.emplace_back("Retry-After", std::to_string(seconds.count()));
    }
    return answer;
}

response problem_response(key_defect defect, std::string_view base) {
    auto const value = defect == key_defect::missing ? problem::key_missing : problem::key_invalid;
    return refusal(describe(value), base, explain(defect));
}

} // namespace once::http
