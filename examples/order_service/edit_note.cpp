// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/execute.hpp>

#include "service.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <tuple>
#include <variant>

namespace shop {

namespace {

once::response answer(int status, order const& now) {
    return {.status = status, .body = nlohmann::json{{"number", now.number}, {"version", now.version}}};
}

// Both clerks write into the same row, so its version says in which order their transactions wrote.
void announce(once::transaction& tx, order const& now, std::string const& text) {
    tx.publish(
        {.topic = "orders.edited",
         .key = now.number,
         .payload = nlohmann::json{
             {"number", now.number}, {"version", now.version}, {"customer", now.customer}, {"added", text}}});
}

once::response not_found() {
    return {.status = 404};
}

void append(order& target, std::string const& text) {
    target.note += target.note.empty() ? text : " " + text;
}

} // namespace

// The version that the clerk saw is not part of it: a repeat after a restart has read a newer one, and is the same
// edit nevertheless.
once::request identity(note_request const& asked) {
    return {.scope = "PATCH /orders/" + asked.number + " " + asked.clerk,
            .key = asked.key,
            .fingerprint = once::fingerprint{"PATCH /orders", asked.number, asked.clerk, asked.text}};
}

once::reply write_note(once::database& db, note_request const& asked, order const& seen,
                       once::call_options const& options) {
    auto wanted = seen;
    append(wanted, asked.text);
    return once::execute(
        db, identity(asked),
        [&](once::transaction& tx) {
            auto const result = orders.update(tx, wanted);
            if (auto const* const done = std::get_if<once::updated<order>>(&result)) {
                announce(tx, done->row, asked.text);
                return answer(200, done->row);
            }
            // An error status is not kept: the transaction is rolled back, and the key stays free for the next try.
            if (auto const* const stale = std::get_if<once::stale<order>>(&result)) {
                return answer(409, stale->current);
            }
            return not_found();
        },
        options);
}

once::reply append_note(once::database& db, note_request const& asked, once::call_options const& options) {
    return once::execute(
        db, identity(asked),
        [&](once::transaction& tx) {
            auto const found = orders.find_by(tx, &order::number, asked.number);
            if (!found) {
                return not_found();
            }
            auto const result = orders.modify(tx, found->id, [&](order& now) { append(now, asked.text); });
            if (auto const* const done = std::get_if<once::modified<order>>(&result)) {
                announce(tx, done->row, asked.text);
                return answer(200, done->row);
            }
            return answer(409, *found);
        },
        options);
}

std::optional<order> find_order(once::database& db, std::string const& number,
                                once::call_options const& options) {
    std::optional<order> found;
    // It only reads: whether COMMIT was answered does not matter.
    std::ignore = once::transact(
        db, [&](once::transaction& tx) { found = orders.find_by(tx, &order::number, number); },
        options.transaction());
    return found;
}

} // namespace shop
