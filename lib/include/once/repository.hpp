// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/row_codec.hpp>
#include <once/detail/table.hpp>
#include <once/mapping.hpp>

#include <pqxx/transaction_base>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace once {

/// A row as it is in the table, and whether this call made it.
template <class T>
struct insert_result {
    T row;
    bool inserted;
};

/// The row was written; this is what it is now.
template <class T>
struct updated {
    T row;
};

/// Somebody changed the row since it was read; this is what it is now.
template <class T>
struct stale {
    T current;
};

/// There is no such row.
struct missing {};

/// The row is gone.
struct erased {};

/// `modify` wrote the row; this is what it is now.
template <class T>
struct modified {
    T row;
};

/// `modify` lost every one of its attempts to other writers.
struct exhausted {
    int attempts;
};

template <class T>
using update_result = std::variant<updated<T>, stale<T>, missing>;
template <class T>
using modify_result = std::variant<modified<T>, missing, exhausted>;
template <class T>
using erase_result = std::variant<erased, stale<T>, missing>;

struct modify_options {
    /// How often to try before giving up; 1 or more.
    int attempts = 100;
};

/// A table of the caller's as a set of `T`: dedup on insert, versions on update.
/**
 * Not an ORM: no sessions, no cache, no relations, no schema. `mapping<T>` says which column is which member; other
 * queries are ordinary SQL.
 *
 * @code
 *     const once::repository<order> orders{"shop.orders"};
 *     auto [placed, inserted] = orders.insert(tx, order{.number = "A-17", .customer = "alice"});
 * @endcode
 *
 * @par Transaction
 * Every function works in the caller's transaction, also in a `pqxx::subtransaction`; it never commits, aborts or
 * opens anything. Under READ COMMITTED the answers are as described. Under REPEATABLE READ and SERIALIZABLE a lost
 * race is SQLSTATE 40001 instead: run the transaction again.
 * @par Throws
 * `once::invalid_argument` for a value that the column cannot hold as it is (nothing was sent);
 * `once::corrupt_record` for a row that the members cannot hold; what libpqxx throws, untouched: the violation of
 * another constraint, a version that would pass the largest bigint (22003), ON004 of `enforce_version`.
 * @par Thread safety
 * Immutable; one object serves all threads, each with its own transaction.
 */
template <class T>
class repository {
    static_assert(
        detail::mapped<T>,
        "once: this struct has no mapping: write template <> struct once::mapping<YOUR_STRUCT> { static "
        "constexpr auto columns = once::columns(...); }; before its first use");

    using traits = detail::mapping_traits<T>;
    using codec = detail::row_codec<T>;

public:
    /// Type of the primary key.
    using id_type = typename traits::template member_type<traits::id>;

    /// @param table `table` or `schema.table`; see `table_name`
    /// @throws once::invalid_argument
    explicit repository(std::string_view table) : m_table{table, codec::specs(), codec::key()} {}

    /// Inserts `row`, unless its key is there already; then that row comes back and nothing is written.
    /**
     * The key is `mapping<T>::unique`, else the id if the application gives it. A mapping with neither has nothing to
     * dedup by, and does not compile: that is what `append` is for. The violation of any *other* constraint is an
     * error, as ever.
     *
     * @par Transaction
     * One round trip for a new row, two for one that is there. Waits for a transaction that has inserted the same key
     * and not yet ended. Does not lock the row that is there.
     * @throws once::error when the row that is there cannot be read three times in a row (it is deleted and made
     *         again all the time, or a row security policy hides it), or when a trigger suppresses the insert
     */
    [[nodiscard]] insert_result<T> insert(pqxx::transaction_base& tx, T const& row) const {
        require_key();
        return answer(m_table.insert(tx, codec::encode(row, codec::for_insert, m_table)));
    }

    /// Inserts `row` at each call, whatever is there: for rows that nothing but the id tells apart.
    /**
     * A repeat makes another row. Inside of `execute` the request is what is done once. The violation of a constraint,
     * the one of `mapping<T>::unique` included, is an error.
     *
     * @par Transaction
     * One round trip.
     * @throws once::error when a trigger or rule suppresses the insert
     */
    [[nodiscard]] T append(pqxx::transaction_base& tx, T const& row) const {
        return codec::decode(m_table.append(tx, codec::encode(row, codec::for_insert, m_table)), m_table);
    }

    /// Inserts many rows with few statements; answers in the order of `rows`.
    /**
     * Each answer is what `insert` would say, one row after the other: of several rows with one key the first is
     * inserted, the later ones get that same row and `inserted == false`. The rows are sent in the order of their
     * keys, so concurrent batches cannot deadlock on these keys.
     *
     * @par Transaction
     * One round trip for each 1000 rows (fewer rows when they have more than 65 columns), one more when some of them
     * are there already. A key that the table stores in another spelling than it was sent (`char(n)`, `citext`) and
     * that is there already costs a round trip or two of its own.
     */
    [[nodiscard]] std::vector<insert_result<T>> insert_many(pqxx::transaction_base& tx,
                                                            std::span<T const> rows) const {
        require_key();
        auto const encoded = encode(rows);
        auto const key_of = [this](detail::found_row const& row) { return codec::key_of(row, m_table); };
        std::vector<insert_result<T>> answers;
        answers.reserve(rows.size());
        for (auto const& row : m_table.insert_many(tx, encoded, key_of)) {
            answers.push_back(answer(row));
        }
        return answers;
    }

    /// `append` for many rows with few statements; answers in the order of `rows`.
    /**
     * @par Transaction
     * One round trip for each 1000 rows (fewer rows when they have more than 65 columns).
     */
    [[nodiscard]] std::vector<T> append_many(pqxx::transaction_base& tx, std::span<T const> rows) const {
        std::vector<T> made;
        made.reserve(rows.size());
        for (auto const& row : m_table.append_many(tx, encode(rows))) {
            made.push_back(codec::decode(row, m_table));
        }
        return made;
    }

    /// The row with this id. Takes no lock.
    [[nodiscard]] std::optional<T> find(pqxx::transaction_base& tx, id_type const& id) const {
        return find_at(tx, traits::id, id);
    }

    /// The row with this value in a column that is unique by itself. Takes no lock.
    /**
     * @code orders.find_by(tx, &order::number, "A-17") @endcode
     * @throws once::misuse when several rows have it: the column is not unique
     */
    template <class Value>
    [[nodiscard]] std::optional<T> find_by(pqxx::transaction_base& tx, Value T::* member,
                                           std::type_identity_t<Value> const& value) const {
        return find_at(tx, codec::place_of(member, m_table), value);
    }

    /// The row with this natural key, its values in the order of `mapping<T>::unique`. Takes no lock.
    /**
     * @code votes.find_by_key(tx, poll_id, "alice") @endcode
     */
    template <class... Values>
    [[nodiscard]] std::optional<T> find_by_key(pqxx::transaction_base& tx, Values const&... values) const {
        static_assert(detail::has_unique<T>, "once: find_by_key needs once::unique in the mapping");
        return decode(m_table.find(tx, traits::key, codec::encode_key(m_table, values...)));
    }

    /// Writes `row` if its version is still the one in the table, and adds 1 to it.
    /**
     * Only columns are written whose values differ from those in the table. What is left as it was read keeps every
     * byte, also where the member shows less than the column holds. `stale` and `missing` are answers, not errors:
     * nothing was written, the transaction stays usable.
     *
     * @par Transaction
     * Two round trips; one for `stale` and `missing`. Locks the row when it writes; waits for the transaction that has
     * it locked. The form with `before` takes one.
     * @throws once::error when the row is there with this version and the UPDATE does not reach it: a row security
     *         policy or a trigger forbids it
     */
    [[nodiscard]] update_result<T> update(pqxx::transaction_base& tx, T const& row) const {
        static_assert(traits::has_version, "once: update needs once::version in the mapping");
        // Checks id and version before anything is sent.
        static_cast<void>(codec::difference(row, row, m_table));
        auto current = find(tx, row.*std::get<traits::id>(traits::columns).member);
        if (!current) {
            return missing{};
        }
        if (codec::version_of(*current) != codec::version_of(row)) {
            return stale<T>{std::move(*current)};
        }
        return update(tx, *current, row);
    }

    /// The same with the row as it was read: writes what differs between `before` and `after`.
    /**
     * Id and version are those of `before`; what `after` has there is ignored.
     *
     * @par Transaction
     * One round trip; two for `stale` and `missing`.
     */
    [[nodiscard]] update_result<T> update(pqxx::transaction_base& tx, T const& before, T const& after) const {
        static_assert(traits::has_version, "once: update needs once::version in the mapping");
        auto const change = codec::difference(before, after, m_table);
        auto const result = m_table.update(tx, change.row, change.columns);
        switch (result.outcome) {
        case detail::written_row::kind::written:
            return updated<T>{codec::decode(*result.row, m_table)};
        case detail::written_row::kind::stale:
            return stale<T>{codec::decode(*result.row, m_table)};
        case detail::written_row::kind::missing:
            break;
        }
        return missing{};
    }

    /// Reads the row, lets `change(T&)` change it, writes it; again from what it is then, whenever another transaction
    /// was faster.
    /**
     * `change` may run many times: it computes, and has no other effects. What it does to the id and the version is
     * ignored. What it throws comes out.
     *
     * @par Transaction
     * READ COMMITTED, or a lost race ends in 40001. Two round trips, and two for each race lost. Only columns that
     * `change` changed are written.
     * @throws once::error as `update`: a row that cannot be written is no race
     */
    template <class Change>
        requires std::invocable<Change&, T&>
    [[nodiscard]] modify_result<T> modify(pqxx::transaction_base& tx, id_type const& id, Change&& change,
                                          modify_options options = {}) const {
        static_assert(traits::has_version, "once: modify needs once::version in the mapping");
        detail::check_attempts(options.attempts);
        auto current = find(tx, id);
        for (int attempt = 0; current && attempt < options.attempts; ++attempt) {
            T next = *current;
            change(next);
            auto result = update(tx, *current, next);
            if (auto* const written = std::get_if<updated<T>>(&result)) {
                return modified<T>{std::move(written->row)};
            }
            if (auto* const newer = std::get_if<stale<T>>(&result)) {
                current = std::move(newer->current);
            } else {
                current.reset();
            }
        }
        if (!current) {
            return missing{};
        }
        return exhausted{options.attempts};
    }

    /// Deletes the row if its version is still the given one.
    /**
     * @par Transaction
     * As `update`.
     */
    [[nodiscard]] erase_result<T> erase(pqxx::transaction_base& tx, id_type const& id,
                                        std::int64_t version) const {
        static_assert(traits::has_version, "once: erase needs once::version in the mapping");
        auto const result = m_table.erase(tx, codec::encode_identity(id, version, m_table));
        switch (result.outcome) {
        case detail::written_row::kind::written:
            return erased{};
        case detail::written_row::kind::stale:
            return stale<T>{codec::decode(*result.row, m_table)};
        case detail::written_row::kind::missing:
            break;
        }
        return missing{};
    }

    /// Deletes `row` if its version is still the one in the table.
    [[nodiscard]] erase_result<T> erase(pqxx::transaction_base& tx, T const& row) const {
        static_assert(traits::has_version, "once: erase needs once::version in the mapping");
        return erase(tx, row.*std::get<traits::id>(traits::columns).member,
                     row.*std::get<traits::version>(traits::columns).member);
    }

private:
    static constexpr void require_key() {
        static_assert(
            !traits::key.empty(),
            "once: insert has nothing to dedup by: add static constexpr auto unique = "
            "once::unique(\"COLUMN\") to the mapping, or call append(), which makes a row each time");
    }

    [[nodiscard]] std::vector<detail::wire_row> encode(std::span<T const> rows) const {
        std::vector<detail::wire_row> encoded;
        encoded.reserve(rows.size());
        for (auto const& row : rows) {
            encoded.push_back(codec::encode(row, codec::for_insert, m_table));
        }
        return encoded;
    }

    [[nodiscard]] insert_result<T> answer(detail::inserted_row const& row) const {
        return {codec::decode(row.row, m_table), row.inserted};
    }

    [[nodiscard]] std::optional<T> decode(std::optional<detail::found_row> const& row) const {
        return row ? std::optional<T>{codec::decode(*row, m_table)} : std::nullopt;
    }

    template <class Value>
    [[nodiscard]] std::optional<T> find_at(pqxx::transaction_base& tx, std::size_t place,
                                           Value const& value) const {
        auto const encoded = codec::encode_value(value, m_table, place);
        return decode(m_table.find(tx, {&place, 1}, {&encoded, 1}));
    }

    detail::table m_table;
};

} // namespace once
