// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/export.hpp>
#include <once/message.hpp>
#include <once/statement.hpp>

#include <pqxx/dbtransaction>

#include <chrono>
#include <memory>

namespace once {

namespace detail {
class work;
}

/// The transaction that a callback of `execute` or `transact` works in.
/**
 * It is an ordinary libpqxx transaction: `exec`, `query`, `stream`, `pqxx::subtransaction` and everything that takes
 * a `pqxx::transaction_base&` works. The library begins and ends it: `commit()` throws, `abort()` and SQL that ends
 * the transaction are noticed afterwards and reported as `once::misuse`. It must not be used after the callback
 * returned. What the callback sets for the session (role, settings) is gone before another call gets it.
 *
 * @par Thread safety
 * One thread at a time.
 */
class ONCE_EXPORT transaction final : public pqxx::dbtransaction {
public:
    ~transaction() noexcept override;

    transaction(transaction const&) = delete;
    transaction(transaction&&) = delete;
    transaction& operator=(transaction const&) = delete;
    transaction& operator=(transaction&&) = delete;

    /// 1 for the first run of the callback, more when a serialization failure, a deadlock or a broken connection
    /// made it run again. What the callback does outside of the database happens once per run.
    [[nodiscard]] int attempt() const noexcept;

    /// The schema that holds the library's objects.
    [[nodiscard]] std::string const& schema() const noexcept;

    /// When the whole call ends. A statement that runs past it loses its connection.
    [[nodiscard]] std::chrono::steady_clock::time_point deadline() const noexcept;

    /// Adds a statement that travels with COMMIT, at no round trip of its own; nobody reads its rows.
    /**
     * Statements run in the order in which they were added, before the response is stored. If one fails, the whole
     * transaction is rolled back and its error comes out of `execute`. What is added in a `pqxx::subtransaction`, or
     * any other savepoint, goes when that is rolled back; for that, the first one that is added after a command about
     * savepoints costs a round trip.
     * @throws once::transaction_poisoned in a savepoint whose statement failed, and that was not rolled back yet
     * @throws once::misuse after a savepoint, while a stream or a pipeline is open
     * @throws once::invalid_argument when a text parameter is not valid.
     */
    void at_commit(statement statement);

    /// Stages a message: it is delivered if and only if this transaction commits.
    /**
     * It travels with COMMIT, at no round trip of its own; messages that follow each other become one statement. They
     * wait in memory until then: for very many use `once::publish_each`, which sends while it goes. Messages and
     * `at_commit` statements keep their common order, and what is said there about savepoints.
     * @return the id of the message: `message::id` when that is given, else the one that was made
     * @throws once::invalid_argument naming the field. What the database refuses (ON050: the id was used for other
     *         content) comes out of `execute`, after the rollback.
     */
    message_id publish(message const& message);

private:
    friend class detail::work;
    explicit transaction(detail::work& work);

#if defined(PQXX_VERSION_MAJOR) && PQXX_VERSION_MAJOR >= 8
    void do_commit(pqxx::sl) override;
    void do_abort(pqxx::sl) override;
#else
    void do_commit() override;
    void do_abort() override;
#endif

    detail::work& m_work;
};

} // namespace once
