// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/fingerprint.hpp>
#include <once/message_id.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace once {

/// A message as it came from a broker.
struct incoming {
    /// The id that its sender gave it. A message without one is for a person to look at; never make one up here.
    message_id id;
    /// What it says, so that the same id with other bytes is noticed: `once::fingerprint{bytes}`. With
    /// `no_fingerprint`, only the id decides. The bytes are hashed here; only 32 bytes travel, and are stored.
    once::fingerprint fingerprint;
    /// When it was sent, if the broker or the id (`message_id::time`) says so. Then a message that is older than what
    /// the inbox remembers is told apart from a new one.
    std::optional<std::chrono::system_clock::time_point> sent_at{};
};

/// What became of a message at the inbox.
enum class receipt {
    /// It is new here, and this transaction's: do the work, commit, then acknowledge it to the broker.
    fresh,
    /// It took effect before. Acknowledge it.
    seen,
    /// Its id took effect before with other bytes. Nothing happens now. Commit, so that the alarm is kept for people
    /// (view `inbox_alarm`), then put the message aside.
    altered,
    /// It was sent longer ago than the inbox remembers, so nobody can tell whether it took effect. Put it aside.
    too_old,
    /// Another transaction works on it and did not end within `inbox_options::wait`. Let the broker deliver it again.
    in_progress,
};

/// The word that C++, SQL, documentation and logs use for it.
[[nodiscard]] ONCE_EXPORT std::string_view to_string(receipt value) noexcept;

/// How an inbox behaves. Checked when it is constructed.
struct inbox_options {
    /// How long a message is remembered, 1 second to 3660 days. Longer than the broker keeps and redelivers messages.
    detail::time_field<"inbox_options.retention"> retention{std::chrono::hours{24 * 30}};
    /// How long to wait for another transaction that works on the same message, 0 to 1 hour.
    detail::time_field<"inbox_options.wait"> wait{std::chrono::milliseconds{2'000}};
};

/// Most messages in one batch.
inline constexpr std::size_t max_inbox_batch = 10'000;

/// Remembers the messages that took effect at one consumer, so that a redelivery takes none.
/**
 * The inbox is a table in the consumer's database, and `receive` inserts into it in the consumer's own transaction, by
 * a unique key. So message and effect are committed together or not at all, whichever broker delivers:
 *
 * @code
 * once::transact(db, [&](once::transaction& tx) {
 *     if (inbox.receive(tx, message) == once::receipt::fresh) {
 *         // the work
 *     }
 * }).expect_committed();
 * // acknowledge the message to the broker
 * @endcode
 *
 * A crash before COMMIT leaves nothing, and the broker delivers again. A crash after it is answered `seen`. When the
 * answer to COMMIT is lost (`outcome::unknown`), do not acknowledge: the redelivery finds out.
 *
 * @par Transaction
 * One round trip for each call. One row is written for each fresh message. Nothing is committed or aborted. An open
 * transaction with the same message is waited for; after a wait that ran out, `tx` is still usable. Under repeatable
 * read and serializable a lost race is error 40001: run the transaction again.
 * @par Thread safety
 * A value that does not change: any number of threads may use one, each with a transaction of its own.
 */
class ONCE_EXPORT inbox {
public:
    /// @param consumer who works on the messages, within the service; each consumer sees each message once.
    ///                 Printable ASCII, 1 to 255 bytes.
    /// @throws once::invalid_argument naming the field
    explicit inbox(std::string consumer, inbox_options options = {});

    /// Takes one message in.
    [[nodiscard]] receipt receive(borrowed const& tx, incoming const& message) const;

    /// Takes up to `max_inbox_batch` messages in with one statement; the answers are in their order.
    /**
     * Of an id that the batch holds twice, the first is fresh and the second is seen, or altered. Messages are taken
     * in the order of their ids, so two batches never wait for each other in a circle; receive one batch in a
     * transaction. Never answers `in_progress`: a wait that ran out is `pqxx::sql_error` with SQLSTATE 55P03
     * (lock_not_available), and `tx` is then unusable, because one message cannot be left out of the statement.
     * @throws once::invalid_argument when there are too many
     */
    [[nodiscard]] std::vector<receipt> receive_many(borrowed const& tx,
                                                    std::span<incoming const> messages) const;

    /// `receive_many` by the ids alone: those that are new, in the order given, each once.
    [[nodiscard]] std::vector<message_id> new_ones(borrowed const& tx, std::span<message_id const> ids) const;

    [[nodiscard]] std::string const& consumer() const noexcept { return m_consumer; }

private:
    std::string m_consumer;
    inbox_options m_options;
};

} // namespace once
