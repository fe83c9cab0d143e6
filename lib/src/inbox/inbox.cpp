// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/inbox.hpp>

#include "sql/inbox_statements.hpp"
#include "sql/texts.hpp"
#include "text/check_range.hpp"
#include "text/key_text.hpp"
#include "wire/binary_array.hpp"
#include "wire/borrowed.hpp"
#include "wire/stored_response.hpp"

#include <pqxx/params>
#include <pqxx/result>
#include <pqxx/row>

#include <cstdint>
#include <utility>

namespace once {

namespace {

std::int64_t milliseconds_since_1970(std::chrono::system_clock::time_point when) {
    return std::chrono::floor<std::chrono::milliseconds>(when).time_since_epoch().count();
}

receipt to_receipt(std::string_view word) {
    for (auto const value :
         {receipt::fresh, receipt::seen, receipt::altered, receipt::too_old, receipt::in_progress}) {
        if (word == to_string(value)) {
            return value;
        }
    }
    throw corrupt_record{"once: the inbox answered with a word that this version does not know"};
}

std::size_t checked(std::size_t count) {
    if (count > max_inbox_batch) {
        throw invalid_argument{"messages", "there are " + std::to_string(count) + "; " +
                                               std::to_string(max_inbox_batch) +
                                               " is the limit of one batch"};
    }
    return count;
}

void validate(std::string const& consumer, inbox_options const& options) {
    using namespace std::chrono_literals;
    detail::require_key_text(consumer, "consumer");
    detail::check_range<std::chrono::milliseconds>(options.retention, 1s, 3660 * 24h,
                                                   "inbox_options.retention", "1 second and 3660 days");
    detail::check_range<std::chrono::milliseconds>(options.wait, 0ms, 1h, "inbox_options.wait",
                                                   "0 and 1 hour");
}

sql::inbox_statements const& inbox_texts(borrowed const& tx) {
    return sql::texts<sql::inbox_statements>(tx.schema());
}

} // namespace

std::string_view to_string(receipt value) noexcept {
    switch (value) {
    case receipt::fresh:
        return "fresh";
    case receipt::seen:
        return "seen";
    case receipt::altered:
        return "altered";
    case receipt::too_old:
        return "too_old";
    case receipt::in_progress:
        break;
    }
    return "in_progress";
}

inbox::inbox(std::string consumer, inbox_options options)
    : m_consumer{std::move(consumer)}, m_options{std::move(options)} {
    validate(m_consumer, m_options);
}

receipt inbox::receive(borrowed const& tx, incoming const& message) const {
    parameters values{m_consumer, message.id.to_string()};
    detail::add_fingerprint(values, message.fingerprint);
    values.add(message.sent_at ? std::optional{milliseconds_since_1970(*message.sent_at)} : std::nullopt);
    values.add(m_options.retention.count()).add(m_options.wait.count());
    return to_receipt(tx->exec(inbox_texts(tx).receive, detail::to_pqxx(values))[0][0].as<std::string>());
}

std::vector<receipt> inbox::receive_many(borrowed const& tx, std::span<incoming const> messages) const {
    std::vector<receipt> made;
    made.reserve(checked(messages.size()));
    if (messages.empty()) {
        return made;
    }
    detail::binary_array ids{detail::element_type::uuid};
    detail::binary_array digests{detail::element_type::bytea};
    detail::binary_array times{detail::element_type::int8};
    for (auto const& one : messages) {
        ids.add(one.id);
        digests.add_or_null(detail::digest_of(one.fingerprint));
        if (one.sent_at) {
            times.add_int8(milliseconds_since_1970(*one.sent_at));
        } else {
            times.add_null();
        }
    }
    parameters values{m_consumer};
    for (auto* const one : {&ids, &digests, &times}) {
        values.add(one->finish());
    }
    values.add(m_options.retention.count()).add(m_options.wait.count());
    for (auto const& row : tx->exec(inbox_texts(tx).receive_many, detail::to_pqxx(values))) {
        made.push_back(to_receipt(row[0].as<std::string>()));
    }
    return made;
}

std::vector<message_id> inbox::new_ones(borrowed const& tx, std::span<message_id const> ids) const {
    detail::binary_array wanted{detail::element_type::uuid};
    std::vector<message_id> made;
    made.reserve(checked(ids.size()));
    for (auto const& id : ids) {
        wanted.add(id);
    }
    parameters values{m_consumer};
    values.add(wanted.finish()).add(m_options.retention.count()).add(m_options.wait.count());
    for (auto const& row : tx->exec(inbox_texts(tx).new_ones, detail::to_pqxx(values))) {
        made.push_back(message_id::parse(row[0].as<std::string>()));
    }
    return made;
}

} // namespace once
