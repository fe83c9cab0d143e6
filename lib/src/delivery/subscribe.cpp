// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/subscription.hpp>

#include "sql/outbox_statements.hpp"
#include "sql/texts.hpp"
#include "text/check_range.hpp"
#include "text/key_text.hpp"
#include "text/utc.hpp"
#include "wire/binary_array.hpp"
#include "wire/borrowed.hpp"

#include <pqxx/result>
#include <pqxx/row>

#include <algorithm>

namespace once {

namespace {

using detail::check_range;

constexpr std::size_t max_name_bytes = 63;

bool is_topic_filter(std::string_view filter) {
    auto const word = filter.ends_with(".*") ? filter.substr(0, filter.size() - 2) : filter;
    return !word.empty() && filter.size() <= 251 && std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
    });
}

void check_name(std::string const& name) {
    detail::require_key_text(name, "subscription", max_name_bytes);
}

sql::outbox_statements const& subscription_texts(borrowed const& tx) {
    return sql::texts<sql::outbox_statements>(tx.schema());
}

void add_topics(parameters& to, std::vector<std::string> const& topics) {
    if (topics.empty()) {
        to.add(std::nullopt);
        return;
    }
    to.add(detail::text_array(topics).finish());
}

std::string start_of(subscription_options const& options) {
    if (auto const* const at = std::get_if<subscribe_from>(&options.from)) {
        return *at == subscribe_from::now ? "now" : "beginning";
    }
    return detail::utc_text(std::get<std::chrono::sys_time<std::chrono::microseconds>>(options.from), ' ') +
           "+00";
}

bool ask(borrowed const& tx, std::string const& sql, parameters const& values) {
    detail::require_utf8(*tx);
    return tx->exec(sql, detail::to_pqxx(values)).one_row()[0].as<bool>();
}

} // namespace

void validate(subscription_options const& options) {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    if (options.topics.size() > 100 || !std::ranges::all_of(options.topics, is_topic_filter)) {
        throw invalid_argument{"subscription_options.topics",
                               "up to 100 topics are allowed, or prefixes of topics that end with .*"};
    }
    if (auto const* const time =
            std::get_if<std::chrono::sys_time<std::chrono::microseconds>>(&options.from)) {
        using namespace std::chrono;
        check_range<sys_time<microseconds>>(*time, sys_days{year{1970} / 1 / 1},
                                            sys_days{year{9999} / 12 / 31}, "subscription_options.from",
                                            "the years 1970 and 9999");
    }
    check_range(options.slices, 1, 64, "subscription_options.slices", "1 and 64");
    check_range(options.max_attempts, 1, 1000, "subscription_options.max_attempts", "1 and 1000");
    check_range<milliseconds>(options.backoff_cap, 1ms, 7 * 24h, "subscription_options.backoff_cap",
                              "1 millisecond and 7 days");
    check_range<milliseconds>(options.backoff_base, 1ms, options.backoff_cap,
                              "subscription_options.backoff_base", "1 millisecond and backoff_cap");
    if (options.expire_after) {
        check_range<milliseconds>(*options.expire_after, 1min, 366 * 24h, "subscription_options.expire_after",
                                  "1 minute and 366 days");
    }
}

void validate(reader_options const& options) {
    using namespace std::chrono_literals;
    using std::chrono::milliseconds;
    check_range(options.slice, 0, 63, "reader_options.slice", "0 and 63");
    check_range(options.batch_messages, 1, 100'000, "reader_options.batch_messages", "1 and 100000");
    check_range<std::size_t>(options.batch_bytes, 1024, std::size_t{1} << 30U, "reader_options.batch_bytes",
                             "1 KiB and 1 GiB");
    check_range<milliseconds>(options.gather, 0ms, 1s, "reader_options.gather", "0 and 1 second");
    check_range<milliseconds>(options.lease, 1s, 1h, "reader_options.lease", "1 second and 1 hour");
    check_range<milliseconds>(options.longest_sleep, 100ms, 1min, "reader_options.longest_sleep",
                              "100 milliseconds and 1 minute");
    check_range<milliseconds>(options.longest_poll, 1ms, 1min, "reader_options.longest_poll",
                              "1 millisecond and 1 minute");
    check_range<milliseconds>(options.reply_timeout, 100ms, 1h, "reader_options.reply_timeout",
                              "100 milliseconds and 1 hour");
}

bool subscribe(borrowed const& tx, std::string const& name, subscription_options const& options) {
    check_name(name);
    validate(options);
    parameters values{name};
    add_topics(values, options.topics);
    values.add(start_of(options)).add(options.slices).add(options.max_attempts);
    values.add(options.backoff_base.count()).add(options.backoff_cap.count()).add(options.dead_blocks_key);
    if (options.expire_after) {
        values.add(options.expire_after->count());
    } else {
        values.add(std::nullopt);
    }
    return ask(tx, subscription_texts(tx).subscribe, values);
}

bool unsubscribe(borrowed const& tx, std::string const& name) {
    check_name(name);
    return ask(tx, subscription_texts(tx).unsubscribe, parameters{name});
}

bool pause_subscription(borrowed const& tx, std::string const& name, bool paused) {
    check_name(name);
    return ask(tx, subscription_texts(tx).pause_subscription, parameters{name, paused});
}

} // namespace once
