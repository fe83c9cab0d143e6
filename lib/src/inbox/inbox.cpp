// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/inbox.hpp>

#include "claim/stored_response.hpp"
#include "request/borrowed.hpp"
#include "request/check_range.hpp"
#include "request/key_text.hpp"
#include "request/schema_name.hpp"
#include "sql/inbox_statements.hpp"

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

/// Elements of an array in PostgreSQL's text form; none of the values needs quotes but bytea.
class array_text {
public:
    void add(std::string_view element) { m_text.append(m_text.size() == 1 ? "" : ",").append(element); }
    void add_bytes(std::string_view bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        m_text.append(m_text.size() == 1 ? "\"\\\\x" : ",\"\\\\x");
        for (char const c : bytes) {
            auto const byte = static_cast<unsigned char>(c);
            m_text += digits[byte >> 4U];
            m_text += digits[byte & 0xfU];
        }
        m_text += '"';
    }
    void add_bytes_or_null(std::string const& bytes) {
        if (bytes.empty()) {
            add("NULL");
        } else {
            add_bytes(bytes);
        }
    }
    [[nodiscard]] std::string done() && { return std::move(m_text) + '}'; }

private:
    std::string m_text = "{";
};

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
    detail::checked_schema(options.schema, "inbox_options.schema");
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
    m_receive = sql::receive(m_options.schema);
    m_receive_many = sql::receive_many(m_options.schema);
    m_new_ones = sql::new_ones(m_options.schema);
}

receipt inbox::receive(pqxx::dbtransaction& tx, incoming const& message) const {
    parameters values{m_consumer, message.id.to_string()};
    detail::add_fingerprint(values, message.fingerprint);
    values.add(message.sent_at ? std::optional{milliseconds_since_1970(*message.sent_at)} : std::nullopt);
    values.add(m_options.retention.count()).add(m_options.wait.count());
    return to_receipt(tx.exec(m_receive, detail::to_pqxx(values))[0][0].as<std::string>());
}

std::vector<receipt> inbox::receive_many(pqxx::dbtransaction& tx, std::span<incoming const> messages) const {
    std::vector<receipt> made;
    made.reserve(checked(messages.size()));
    if (messages.empty()) {
        return made;
    }
    array_text ids;
    array_text digests;
    array_text preimages;
    array_text times;
    for (auto const& one : messages) {
        ids.add(one.id.to_string());
        digests.add_bytes_or_null(one.fingerprint.digest());
        preimages.add_bytes_or_null(one.fingerprint.preimage());
        times.add(one.sent_at ? std::to_string(milliseconds_since_1970(*one.sent_at)) : "NULL");
    }
    pqxx::params values;
    values.append(m_consumer);
    for (auto* const one : {&ids, &digests, &preimages, &times}) {
        values.append(std::move(*one).done());
    }
    values.append(static_cast<std::int64_t>(m_options.retention.count()));
    values.append(static_cast<std::int64_t>(m_options.wait.count()));
    for (auto const& row : tx.exec(m_receive_many, values)) {
        made.push_back(to_receipt(row[0].as<std::string>()));
    }
    return made;
}

std::vector<message_id> inbox::new_ones(pqxx::dbtransaction& tx, std::span<message_id const> ids) const {
    array_text wanted;
    std::vector<message_id> made;
    made.reserve(checked(ids.size()));
    for (auto const& id : ids) {
        wanted.add(id.to_string());
    }
    pqxx::params values;
    values.append(m_consumer);
    values.append(std::move(wanted).done());
    values.append(static_cast<std::int64_t>(m_options.retention.count()));
    values.append(static_cast<std::int64_t>(m_options.wait.count()));
    for (auto const& row : tx.exec(m_new_ones, values)) {
        made.push_back(message_id::parse(row[0].as<std::string>()));
    }
    return made;
}

} // namespace once
