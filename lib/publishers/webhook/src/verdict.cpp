// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "verdict.hpp"

#include <algorithm>

namespace once::webhook {

namespace {

publish_result result_of(int status, bool conflict_is_accepted) noexcept {
    constexpr int conflict = 409;
    constexpr int unprocessable = 422;
    if ((status >= 200 && status < 300) ||
        (conflict_is_accepted && (status == conflict || status == unprocessable))) {
        return publish_result::accepted;
    }
    switch (status) {
    case 401: // these five: a person has to repair the receiver's set-up or ours, and then it works
    case 403:
    case 404:
    case 405:
    case 407:
    case 408:
    case conflict: // still at work on an earlier attempt
    case 425:
    case 429:
        return publish_result::retry;
    default:
        return status >= 400 && status < 500 ? publish_result::rejected : publish_result::retry;
    }
}

} // namespace

bool may_be_unavailable(ending const& ending) noexcept {
    return ending.how == ending::kind::lost ||
           (ending.how == ending::kind::answered &&
            (ending.status == 429 || ending.status == 502 || ending.status == 503 || ending.status == 504));
}

publish_answer judge(ending const& ending, bool conflict_is_accepted, std::chrono::milliseconds most) {
    switch (ending.how) {
    case ending::kind::no_connection:
        return {.result = publish_result::not_sent, .error = "no connection: " + ending.why};
    case ending::kind::lost:
        return {.result = publish_result::retry, .error = "no answer: " + ending.why};
    case ending::kind::answered:
        break;
    }
    publish_answer made{.result = result_of(ending.status, conflict_is_accepted)};
    if (made.result != publish_result::accepted) {
        made.error = "HTTP " + std::to_string(ending.status);
        if (ending.status >= 300 && ending.status < 400) {
            made.error += ", a redirect, which is not followed";
        }
    }
    if (made.result == publish_result::retry && ending.retry_after.count() > 0) {
        made.retry_after = std::min(ending.retry_after, most);
    }
    return made;
}

} // namespace once::webhook
