// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "delivery/delivery_batch.hpp"

#include <once/error.hpp>

#include "wire/binary_array.hpp"
#include "wire/pg_time.hpp"
#include "wire/stored_body.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace once::detail {

namespace {

// Columns of a message, from where they begin.
enum column {
    position,
    identity,
    given_identity,
    published_at,
    service,
    topic,
    key,
    traceparent,
    content_type,
    headers,
    payload_json,
    payload_bytes,
    behind_message,
    batch_number,
    batch_is_cut,
    batch_timeline
};

message_id read_id(std::string_view bytes) {
    if (bytes.size() != 16) {
        throw corrupt_record{"once: a message id of " + std::to_string(bytes.size()) + " bytes"};
    }
    return message_id::from_bytes(std::as_bytes(std::span{bytes}).first<16>());
}

delivery read_message(pg_result const& answer, int first, int row) {
    int const payload = answer.is_null(first + payload_json, row) ? payload_bytes : payload_json;
    delivery made{.id = read_id(answer.bytes(first + identity, row)),
                  .topic = answer.text(first + topic, row),
                  .key = answer.text(first + key, row),
                  .payload =
                      body::bytes(answer.text(first + payload, row), answer.text(first + content_type, row)),
                  .traceparent = answer.text(first + traceparent, row),
                  .service = answer.text(first + service, row),
                  .published_at = from_pg_time(answer.int8(first + published_at, row)),
                  .position = answer.int8(first + position, row)};
    if (!answer.is_null(first + given_identity, row)) {
        made.given_id = read_id(answer.bytes(first + given_identity, row));
    }
    if (!answer.is_null(first + headers, row)) {
        made.headers = from_stored_headers(answer.bytes(first + headers, row), "a message");
    }
    return made;
}

std::string_view to_string(parked_as as) noexcept {
    constexpr std::array<std::string_view, 4> words{"retry", "dead", "behind", "suspect"};
    return words[static_cast<std::size_t>(as)];
}

std::string_view to_string(settled_as as) noexcept {
    constexpr std::array<std::string_view, 4> words{"accepted", "retry", "rejected", "unavailable"};
    return words[static_cast<std::size_t>(as)];
}

// An error text is for people, and comes from anywhere: what is not UTF-8 must not fail the report of it.
std::string printable(std::string const& text) {
    constexpr std::size_t longest = 1000;
    std::string made;
    for (char const c : std::string_view{text}.substr(0, longest)) {
        auto const byte = static_cast<unsigned char>(c);
        made += byte < 0x20 || byte >= 0x7f ? '?' : c;
    }
    return made;
}

std::size_t count_up_to(delivery_batch const& batch, std::int64_t position) {
    auto const messages =
        std::ranges::count_if(batch.positions, [&](std::int64_t one) { return one <= position; });
    auto const behind =
        std::ranges::count_if(batch.behind, [&](std::int64_t one) { return one <= position; });
    return static_cast<std::size_t>(messages + behind);
}

// The three arrays of acknowledge(), or three nulls.
void add_parked(parameters& to, std::vector<parked_entry> const& parked) {
    if (parked.empty()) {
        to.add(std::nullopt).add(std::nullopt).add(std::nullopt);
        return;
    }
    binary_array positions{element_type::int8};
    binary_array states{element_type::text};
    binary_array errors{element_type::text};
    for (auto const& one : parked) {
        positions.add_int8(one.position);
        states.add(to_string(one.as));
        errors.add_or_null(printable(one.error));
    }
    to.add(positions.finish()).add(states.finish()).add(errors.finish());
}

} // namespace

delivery_batch read_batch(pg_result const& answer) {
    delivery_batch made;
    int const last = answer.rows() - 1;
    if (last < 0) {
        throw corrupt_record{"once: next_batch() returned no row"};
    }
    constexpr int first = 1; // column 0 is the token
    made.messages.reserve(static_cast<std::size_t>(last));
    made.positions.reserve(static_cast<std::size_t>(last));
    for (int row = 0; row < last; ++row) {
        if (answer.is_true(first + behind_message, row)) {
            made.behind.push_back(answer.int8(first + position, row));
        } else {
            made.messages.push_back(read_message(answer, first, row));
            made.positions.push_back(made.messages.back().position);
        }
    }
    if (last > 0) {
        made.last_position = answer.int8(first + position, last - 1);
    }
    made.token = answer.text(0, last);
    made.number = answer.int8(first + batch_number, last);
    made.timeline = answer.int8(first + batch_timeline, last);
    made.full = answer.is_true(first + batch_is_cut, last);
    made.worth_acknowledging = answer.is_true(first + behind_message, last);
    return made;
}

std::vector<delivery> read_parked(pg_result const& answer) {
    constexpr int attempts = 12;
    std::vector<delivery> made;
    for (int row = 0; row < answer.rows(); ++row) {
        made.push_back(read_message(answer, 0, row));
        // Handed out behind another one it is not counted yet.
        made.back().attempt = std::max(answer.int4(attempts, row), 1);
    }
    return made;
}

statement acknowledgement(sql::outbox_statements const& texts, std::string const& subscription, int slice,
                          delivery_batch const& batch, progress const& made, bool durable) {
    bool const whole = !made.up_to || *made.up_to >= batch.last_position;
    auto const end = whole ? batch.last_position : *made.up_to;
    auto parked = made.parked;
    for (auto const position : batch.behind) {
        if (position <= end) {
            parked.push_back({position, parked_as::behind, {}});
        }
    }
    std::ranges::sort(parked, {}, &parked_entry::position);
    parameters values{subscription, slice, batch.token};
    if (whole && !batch.full) {
        values.add(std::nullopt).add(std::nullopt);
    } else {
        values.add(end).add(count_up_to(batch, end));
    }
    add_parked(values, parked);
    values.add(durable);
    return {texts.acknowledge, std::move(values)};
}

statement settlement_report(sql::outbox_statements const& texts, std::string const& subscription, int slice,
                            std::vector<settlement> const& settled) {
    binary_array positions{element_type::int8};
    binary_array identities{element_type::uuid};
    binary_array results{element_type::text};
    binary_array errors{element_type::text};
    binary_array pauses{element_type::int8};
    for (auto const& one : settled) {
        positions.add_int8(one.position);
        identities.add(one.id);
        results.add(to_string(one.as));
        errors.add_or_null(printable(one.error));
        if (one.retry_after) {
            pauses.add_int8(one.retry_after->count());
        } else {
            pauses.add_null();
        }
    }
    parameters values{subscription, slice};
    values.add(positions.finish()).add(identities.finish()).add(results.finish());
    values.add(errors.finish()).add(pauses.finish());
    return {texts.settle_parked, std::move(values)};
}

} // namespace once::detail
