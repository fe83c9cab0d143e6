// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "repository/table_plan.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace once::detail {

namespace {

// The protocol counts parameters in 16 bits. Larger statements than 1000 rows gain nothing measurable.
constexpr std::size_t max_parameters = 65'535;
constexpr std::size_t max_rows = 1'000;

std::size_t rows_per_statement(std::size_t parameters_per_row) {
    return std::clamp<std::size_t>(max_parameters / parameters_per_row, 1, max_rows);
}

/// One distinct key of the batch.
struct candidate {
    wire_row const* row;
    inserted_row found{};
    bool done = false;
};

} // namespace

std::vector<inserted_row> table::insert_many(pqxx::transaction_base& tx, std::span<wire_row const> rows,
                                             key_reader const& key_of) const {
    auto const& own = *m_plan;
    auto const send = [&](std::span<candidate const> chunk) {
        pqxx::params values;
        values.reserve(chunk.size() * own.inserted.size());
        for (auto const& one : chunk) {
            own.bind(values, *one.row, own.inserted);
        }
        return tx.exec(own.statements.insert(chunk.size(), own.inserted, own.key), values);
    };
    auto const key_in = [&](wire_row const& row) {
        wire_row key;
        for (auto const place : own.key) {
            key.push_back(row[place]);
        }
        return key;
    };

    // All writers send their keys in one order, bytewise, so that two batches cannot wait for each other in a circle.
    // Of equal keys the first of the input goes in.
    std::vector<std::pair<wire_row, std::size_t>> order;
    order.reserve(rows.size());
    for (std::size_t input = 0; input < rows.size(); ++input) {
        order.emplace_back(key_in(rows[input]), input);
    }
    std::ranges::sort(order);

    std::vector<candidate> distinct;
    std::vector<std::size_t> candidate_of(rows.size());
    std::vector<bool> repeats(rows.size(), false);
    wire_row const* last = nullptr;
    for (auto const& [key, input] : order) {
        if (last != nullptr && *last == key) {
            repeats[input] = true;
        } else {
            distinct.push_back({&rows[input]});
        }
        last = &key;
        candidate_of[input] = distinct.size() - 1;
    }

    auto const chunk_size = rows_per_statement(own.inserted.size());
    for (std::size_t begin = 0; begin < distinct.size(); begin += chunk_size) {
        auto const chunk = std::span{distinct}.subspan(begin, std::min(chunk_size, distinct.size() - begin));
        auto const fresh = send(chunk);
        if (static_cast<std::size_t>(fresh.size()) == chunk.size()) {
            // Nothing was left out, so RETURNING follows VALUES.
            for (std::size_t i = 0; i < chunk.size(); ++i) {
                chunk[i].found = {{fresh, static_cast<int>(i)}, true};
                chunk[i].done = true;
            }
            continue;
        }
        // Some keys were there already. First the new rows, then those of others, are matched by key.
        std::map<wire_row, found_row> new_rows;
        std::map<wire_value, int> unmatched_new; // by id
        for (int i = 0; i < static_cast<int>(fresh.size()); ++i) {
            found_row const row{fresh, i};
            new_rows.emplace(key_of(row), row);
            unmatched_new.emplace(wire_value{read_field(row, own.id)}, i);
        }
        std::vector<candidate*> open;
        for (auto& one : chunk) {
            if (auto const hit = new_rows.find(key_in(*one.row)); hit != new_rows.end()) {
                one.found = {hit->second, true};
                one.done = true;
                unmatched_new.erase(wire_value{read_field(hit->second, own.id)});
            } else {
                open.push_back(&one);
            }
        }
        auto const reads = rows_per_statement(own.key.size());
        for (std::size_t from = 0; from < open.size(); from += reads) {
            auto const some = std::span{open}.subspan(from, std::min(reads, open.size() - from));
            pqxx::params values;
            for (auto const* one : some) {
                own.bind(values, *one->row, own.key);
            }
            auto const winners = tx.exec(own.statements.find_any(some.size(), own.key), values);
            std::map<wire_row, found_row> by_key;
            for (int i = 0; i < static_cast<int>(winners.size()); ++i) {
                found_row const row{winners, i};
                by_key.emplace(key_of(row), row);
            }
            for (auto* one : some) {
                if (auto const hit = by_key.find(key_in(*one->row)); hit != by_key.end()) {
                    one->found = {hit->second, false};
                    one->done = true;
                }
            }
        }
        // What is left has a key that the table writes in another way than it was sent (char(n), citext, numeric), or
        // its row was deleted just now. The server compares, one by one.
        for (auto* one : open) {
            if (one->done) {
                continue;
            }
            one->found = own.insert(tx, *one->row);
            if (!one->found.inserted &&
                unmatched_new.erase(wire_value{read_field(one->found.row, own.id)}) == 1) {
                one->found.inserted = true;
            }
        }
    }

    std::vector<inserted_row> answers;
    answers.reserve(rows.size());
    for (std::size_t input = 0; input < rows.size(); ++input) {
        auto answer = distinct[candidate_of[input]].found;
        answer.inserted = answer.inserted && !repeats[input];
        answers.push_back(std::move(answer));
    }
    return answers;
}

std::vector<found_row> table::append_many(pqxx::transaction_base& tx, std::span<wire_row const> rows) const {
    auto const& own = *m_plan;
    std::vector<found_row> made;
    made.reserve(rows.size());
    auto const chunk_size = rows_per_statement(own.inserted.size());
    for (std::size_t begin = 0; begin < rows.size(); begin += chunk_size) {
        auto const chunk = rows.subspan(begin, std::min(chunk_size, rows.size() - begin));
        pqxx::params values;
        values.reserve(chunk.size() * own.inserted.size());
        for (auto const& row : chunk) {
            own.bind(values, row, own.inserted);
        }
        auto const fresh = tx.exec(own.statements.insert(chunk.size(), own.inserted, {}), values);
        if (static_cast<std::size_t>(fresh.size()) != chunk.size()) {
            own.refuse_suppressed_insert();
        }
        for (int i = 0; i < static_cast<int>(fresh.size()); ++i) {
            made.push_back({fresh, i}); // RETURNING follows VALUES
        }
    }
    return made;
}

} // namespace once::detail
