// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/detail/lanes.hpp>
#include <once/error.hpp>
#include <once/webhook_publisher.hpp>

#include "request.hpp"
#include "signature.hpp"
#include "transfers.hpp"
#include "verdict.hpp"

#include <algorithm>
#include <curl/curl.h>

namespace once {

namespace {

using time_point = std::chrono::steady_clock::time_point;

void check_url(std::string const& url) {
    auto const refuse = [](char const* why) { throw invalid_argument{"webhook_publisher.url", why}; };
    if (!std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; })) {
        refuse("only printable ASCII without spaces is allowed; percent-encode the rest");
    }
    std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> const parsed{curl_url(), &curl_url_cleanup};
    char* scheme = nullptr;
    if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
        curl_url_get(parsed.get(), CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        refuse("it is no URL with a scheme that is known");
    }
    std::unique_ptr<char, decltype(&curl_free)> const owner{scheme, &curl_free};
    if (std::string_view{scheme} != "http" && std::string_view{scheme} != "https") {
        refuse("only http and https are allowed");
    }
}

webhook_options checked(webhook_options options) {
    using namespace std::chrono_literals;
    auto const refuse = [](char const* field, char const* why) {
        throw invalid_argument{std::string{"webhook_options."} + field, why};
    };
    if (options.parallel < 1 || options.parallel > 256) {
        refuse("parallel", "it must be between 1 and 256");
    }
    if (options.connect_timeout < 1ms || options.connect_timeout > 5min) {
        refuse("connect_timeout", "it must be between 1 millisecond and 5 minutes");
    }
    if (options.request_timeout < 1ms || options.request_timeout > 1h) {
        refuse("request_timeout", "it must be between 1 millisecond and 1 hour");
    }
    if (options.max_retry_after < 0ms || options.max_retry_after > 7 * 24h) {
        refuse("max_retry_after", "it must be between 0 and 7 days");
    }
    if (!std::ranges::all_of(options.headers, webhook::is_http_header)) {
        refuse("headers", "a name must be a token, a value must not contain control characters");
    }
    if (options.public_addresses_only && !options.proxy.empty()) {
        refuse("public_addresses_only", "with a proxy it is the proxy that connects: give only one of them");
    }
    return options;
}

std::string seconds_since_1970() {
    auto const now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return std::to_string(now.time_since_epoch().count());
}

} // namespace

struct webhook_publisher::state {
    state(std::string const& url, webhook_options given)
        : options{checked(std::move(given))}, transfers{url, options} {
        for (auto const& secret : options.secrets) {
            keys.push_back(webhook::secret_bytes(secret));
        }
    }

    webhook_options options;
    std::vector<std::string> keys{};
    webhook::transfers transfers;
};

namespace {

/// One call of publish().
class batch {
public:
    batch(std::span<delivery const> messages, time_point deadline, webhook_options const& options,
          std::vector<std::string> const& keys, webhook::transfers& transfers)
        : m_messages{messages},
          m_deadline{deadline},
          m_options{options},
          m_keys{keys},
          m_transfers{transfers},
          m_lanes{messages} {
        m_report.answers.assign(messages.size(), {.result = publish_result::not_sent});
        // A request that is begun too late to be answered would only cost its message an attempt.
        auto const budget = deadline - std::chrono::steady_clock::now();
        m_last_start =
            deadline - std::min<std::chrono::steady_clock::duration>(options.request_timeout, budget / 4);
    }

    publish_report run() {
        for (;;) {
            start_what_fits();
            if (m_transfers.running() == 0) {
                break;
            }
            auto const finished = m_transfers.wait(m_deadline);
            if (finished.empty()) {
                break;
            }
            for (auto const& [place, how] : finished) {
                settle(place, how);
            }
        }
        for (auto const place : m_transfers.abandon()) {
            m_refused.push_back(place);
            fail(place, {.result = publish_result::retry, .error = "no answer within the publish deadline"});
        }
        return conclude();
    }

private:
    void start_what_fits() {
        while (!m_lanes.empty() && m_transfers.running() < m_options.parallel && !m_no_connection &&
               !refuses_everything() && std::chrono::steady_clock::now() < m_last_start) {
            auto const place = m_lanes.take();
            try {
                m_transfers.start(
                    place, webhook::make_request(m_messages[place], m_options, m_keys, seconds_since_1970()),
                    m_deadline);
            } catch (invalid_argument const& e) {
                fail(place, {.result = publish_result::rejected, .error = e.what()});
            }
        }
    }

    // Enough of them to suspect the receiver, and to leave the others alone.
    [[nodiscard]] bool refuses_everything() const {
        return m_other_answers == 0 && m_refused.size() >= m_options.parallel;
    }

    void settle(std::size_t place, webhook::ending const& how) {
        auto answer = webhook::judge(how, m_options.conflict_is_accepted, m_options.max_retry_after);
        if (how.how == webhook::ending::kind::no_connection) {
            m_no_connection = answer.error;
        } else if (webhook::may_be_unavailable(how)) {
            m_refused.push_back(place);
        } else {
            ++m_other_answers;
        }
        if (answer.result == publish_result::accepted) {
            m_report.answers[place] = std::move(answer);
            m_lanes.go_on(place);
        } else {
            fail(place, std::move(answer));
        }
    }

    void fail(std::size_t place, publish_answer answer) {
        m_report.answers[place] = std::move(answer);
        for (auto const later : m_lanes.behind(place)) {
            m_report.answers[later].error = "an earlier message of its key was not accepted";
        }
    }

    publish_report conclude() {
        auto& answers = m_report.answers;
        if (m_no_connection) {
            m_report.unavailable = std::move(m_no_connection);
            if (m_other_answers > 0) {
                // It went away meanwhile, so what was under way is not to blame. A message that ends the receiver each
                // time stands at the head of a call soon, where nothing is answered.
                for (auto const place : m_refused) {
                    answers[place].result = publish_result::not_sent;
                }
            }
        } else if (m_other_answers == 0 && !m_refused.empty()) {
            m_report.unavailable = answers[m_refused.front()].error + " to everything";
            for (auto const place : m_refused) {
                m_report.retry_after = std::max(m_report.retry_after, answers[place].retry_after);
            }
        }
        return std::move(m_report);
    }

    std::span<delivery const> m_messages;
    time_point m_deadline;
    time_point m_last_start;
    webhook_options const& m_options;
    std::vector<std::string> const& m_keys;
    webhook::transfers& m_transfers;
    detail::lanes m_lanes;
    publish_report m_report;
    std::optional<std::string> m_no_connection;
    // By themselves, in a way in which a receiver that is unavailable would.
    std::vector<std::size_t> m_refused;
    std::size_t m_other_answers = 0;
};

} // namespace

webhook_publisher::webhook_publisher(std::string const& url, webhook_options options) {
    check_url(url);
    m_state = std::make_unique<state>(url, std::move(options));
}

webhook_publisher::~webhook_publisher() = default;

publish_report webhook_publisher::publish(std::span<delivery const> messages, time_point deadline) {
    try {
        return batch{messages, deadline, m_state->options, m_state->keys, m_state->transfers}.run();
    } catch (...) {
        static_cast<void>(m_state->transfers.abandon());
        throw;
    }
}

} // namespace once
