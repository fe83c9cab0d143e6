// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/fence.hpp>
#include <once/options.hpp>
#include <once/request.hpp>

#include "text/check_range.hpp"
#include "text/key_text.hpp"
#include "text/text_rules.hpp"
#include "wire/validate_response.hpp"

namespace once {

void detail::require_key_text(std::string const& text, char const* field, std::size_t most) {
    auto const limit = std::to_string(most);
    if (text.empty()) {
        throw invalid_argument{field, "it is missing; give 1 to " + limit + " bytes of printable ASCII"};
    }
    if (text.size() > most) {
        throw invalid_argument{field, "it has " + std::to_string(text.size()) + " bytes; " + limit +
                                          " is the limit"};
    }
    if (!is_printable_ascii(text)) {
        throw invalid_argument{field,
                               "only printable ASCII (0x20 to 0x7e) is allowed, with no space at either end"};
    }
}

using detail::check_range;

void validate(request const& request) {
    detail::require_key_text(request.scope, "request.scope");
    detail::require_key_text(request.key, "request.key");
}

void validate(fence const& fence) {
    detail::require_key_text(fence.lease, "fence.lease");
    if (fence.number < 1) {
        throw invalid_argument{"fence.number", "it must be a number that an acquisition gave, from 1"};
    }
}

namespace {

struct transaction_fields {
    char const* deadline;
    char const* reply_timeout;
    char const* max_attempts;
};

// What transaction_options and call_options have in common.
template <class Options>
void check_transaction(Options const& options, transaction_fields const& names) {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    check_range<milliseconds>(options.deadline, 100ms, 1h, names.deadline, "100 milliseconds and 1 hour");
    check_range<milliseconds>(options.reply_timeout, 100ms, 1h, names.reply_timeout,
                              "100 milliseconds and 1 hour");
    check_range(options.max_attempts, 1, 1000, names.max_attempts, "1 and 1000");
    if (options.fence) {
        validate(*options.fence);
    }
}

} // namespace

void validate(transaction_options const& options) {
    check_transaction(options, {.deadline = "transaction_options.deadline",
                                .reply_timeout = "transaction_options.reply_timeout",
                                .max_attempts = "transaction_options.max_attempts"});
}

void validate(call_options const& options) {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    check_range<milliseconds>(options.wait, 0ms, 1h, "call_options.wait", "0 and 1 hour");
    check_range<milliseconds>(options.retention, 1s, 366 * 24h, "call_options.retention",
                              "1 second and 366 days");
    check_transaction(options, {.deadline = "call_options.deadline",
                                .reply_timeout = "call_options.reply_timeout",
                                .max_attempts = "call_options.max_attempts"});
    if (options.retention < options.deadline) {
        // A record that expired while the same call is still resolving a lost COMMIT would let it do the work twice.
        throw invalid_argument{"call_options.retention", "it must not be shorter than call_options.deadline"};
    }
    check_range<std::size_t>(options.max_response_bytes, 0, std::size_t{256} * 1024 * 1024,
                             "call_options.max_response_bytes", "0 and 256 MiB");
}

namespace detail {

void validate(response const& response, std::size_t max_body_bytes) {
    if (response.status < 100 || response.status > 599) {
        throw invalid_argument{"response.status", "it must be between 100 and 599"};
    }
    if (response.body.data().size() > max_body_bytes) {
        throw invalid_argument{"response.body", "it has " + std::to_string(response.body.data().size()) +
                                                    " bytes; call_options.max_response_bytes allows " +
                                                    std::to_string(max_body_bytes)};
    }
    validate_content_type(response.body.content_type(), "response.body.content_type");
    validate_headers(response.headers, "response.headers");
}

void validate_content_type(std::string const& type, char const* field) {
    if (type.size() > 255 || (!type.empty() && !is_printable_ascii(type))) {
        throw invalid_argument{field, "up to 255 bytes of printable ASCII are allowed"};
    }
}

void validate_headers(std::vector<header> const& headers, char const* field) {
    if (headers.size() > max_headers) {
        throw invalid_argument{field, "64 headers are the limit"};
    }
    std::size_t bytes = 0;
    for (auto const& [name, value] : headers) {
        bytes += name.size() + value.size();
        if (!is_printable_ascii(name) || name.find_first_of(" :") != std::string::npos) {
            throw invalid_argument{field, "a name must be printable ASCII without space and colon"};
        }
        for (char const c : value) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
                throw invalid_argument{field, "a value contains a control character"};
            }
        }
        if (!is_utf8(value)) {
            throw invalid_argument{field, "a value is not UTF-8"};
        }
    }
    if (bytes > max_header_bytes) {
        throw invalid_argument{field, "names and values together may have 8192 bytes"};
    }
}

} // namespace detail

} // namespace once
