// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/subscription.hpp>

#include "delivery/delivery_batch.hpp"
#include "delivery/reader_session.hpp"
#include "delivery/slice_lease.hpp"

#include <pqxx/except>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace once::detail {

/// Whether an error says that what this reader holds is not good any more: another one is at work (ON065 acknowledged
/// before, ON010 the lease), or there was a failover (ON069). It asks for the lease and reads again.
[[nodiscard]] bool taken_by_another(std::exception const& e) noexcept;

/// Reads one slice of a subscription: batches, parked messages that are due, and sleep in between.
/**
 * The loop of a worker is
 *
 *     if (reader.lead()) {
 *         for (parked messages that are due) deliver, settle;
 *         if (!reader.batch().empty()) deliver, acknowledge;
 *     }
 *     if (nothing was done) reader.wait(stop);
 *
 * Every function that talks to the server throws what libpqxx throws. After pqxx::broken_connection the next call
 * connects anew and reads the position again; whatever was not acknowledged comes again. Nothing is retried in here.
 *
 * @par Thread safety
 * One thread.
 */
class batch_reader {
public:
    /// @param needed the lease lasts for at least so long when `lead` returns true: what one piece of work may take
    batch_reader(database& db, std::string subscription, reader_options const& options,
                 std::chrono::milliseconds needed);

    /// Becomes or stays the active reader of the slice.
    /**
     * After a takeover from a reader that died, the batch that it may have been working on is parked first, so that its
     * messages come one at a time and one that kills its worker is found.
     * @return false: another reader is active
     */
    [[nodiscard]] bool lead();
    [[nodiscard]] bool leads() const noexcept { return m_lease.held(); }

    /// Stays the active reader, if it is: renews the lease when that does not last any more for one piece of work.
    /// @return false: it is not active any more, and the batch is gone
    [[nodiscard]] bool keep();

    /// Until when nobody else becomes active, by the clock of this process.
    [[nodiscard]] std::chrono::steady_clock::time_point leads_until() const noexcept { return m_lease.end(); }

    /// The batch at hand, read when there is none; an empty one stays, until `wait` or `look_again`.
    [[nodiscard]] delivery_batch const& held_batch();

    /// The next messages; read when there is no batch yet, or an empty one was returned before. Valid until the next
    /// call that talks to the server.
    [[nodiscard]] delivery_batch const& batch();
    [[nodiscard]] bool has_batch() const noexcept { return m_batch.has_value(); }

    /// Forgets a batch that was empty, so that the next one is read: for callers that do not `wait`.
    void look_again() noexcept {
        if (m_batch && m_batch->empty()) {
            m_batch.reset();
        }
    }

    /// The messages of the batch, moved out of it; only their positions stay there, for `acknowledge`.
    [[nodiscard]] std::vector<delivery> take_messages();

    /// Moves the slice past the batch and reads the next one, in one round trip.
    /// @param stop ends the wait for messages that gather; one that cannot be requested: there is no wait
    /// @return false: another reader has done so before; this one does not lead any more
    bool acknowledge(progress const& made, bool durable, std::stop_token const& stop = {});

    /// Lets messages gather while they stream, when there is no batch at hand. `acknowledge` does it by itself.
    void gather(std::stop_token const& stop) {
        if (!m_batch) {
            let_gather(stop);
        }
    }

    /// Parks all of the batch as suspect: one of its messages may be what ends workers or their connections. They come
    /// again at once, one at a time, each attempt counted before.
    void suspect_batch(std::string const& why);

    /// The same as a statement, for a transaction that does more. Tell the outcome with `acknowledged` or `lost`.
    [[nodiscard]] statement acknowledgement(progress const& made) const;
    void acknowledged() noexcept { m_batch.reset(); }
    /// ON065 or ON010 came: another reader is at work, so the next `lead` asks for the lease.
    void lost() noexcept;

    /// Whether a parked message is due, as far as the last look told.
    [[nodiscard]] bool parked_is_due() const noexcept;
    /// Takes parked messages that are due, of up to so many keys, in order. Their attempts are counted, but for those
    /// that come behind another one of their key: none of them may take effect unless all before it have. Report each
    /// one.
    [[nodiscard]] std::vector<delivery> take_parked(int most_messages, int most_keys);
    /// For the caller that has delivered all of those: when they were the last ones, what waited behind them in the
    /// batch at hand need not be parked. So it is read again; else a key with a message in every batch would never get
    /// out.
    void look_behind_again() noexcept {
        if (m_took_all_parked && m_batch && !m_batch->behind.empty()) {
            m_batch.reset();
        }
    }
    /// Reports what came of them. False: as above.
    bool settle(std::vector<settlement> const& settled);
    /// The same as statements, for a transaction that does more. All of them, in this order.
    [[nodiscard]] std::vector<statement> settlement_statements(std::vector<settlement> const& settled) const;

    /// Memory was not enough for a batch: the next ones are smaller, and grow again.
    void read_less() noexcept;

    /// Waits until there may be something to do, or a stop. What it has read meanwhile is the batch.
    void wait(std::stop_token const& stop);

    /// Waits without listening to anything, for example after a failure.
    void pause(std::chrono::milliseconds time, std::stop_token const& stop) {
        m_session.wait(std::chrono::steady_clock::now() + time, stop, false);
    }

    /// Gives the lease back, so that another reader need not wait for its end. Errors are swallowed: it then runs out.
    void release() noexcept;

    /// The connection, for a transaction between `batch` and `acknowledged`.
    [[nodiscard]] session& on() { return m_session.on(); }

private:
    using clock = std::chrono::steady_clock;

    /// Places of the answers that a read wants.
    struct places {
        std::optional<std::size_t> renewal{};
        std::optional<std::size_t> release{};
        std::size_t batch = 0;
        std::optional<std::size_t> parked{};
        clock::time_point sent{};
    };
    places add_read(pipeline& to, bool look_for_due);
    void take_read(places const& at, std::vector<pg_result> const& answers);
    void read(bool look_for_due);
    void add_empty_acknowledgement(pipeline& to) const;
    void add_wake_up(pipeline& to);
    void note_parked(std::vector<delivery> const& taken, int limit);
    void let_gather(std::stop_token const& stop);
    [[nodiscard]] bool streaming() const noexcept;
    [[nodiscard]] bool has_work() const noexcept;
    [[nodiscard]] bool can_listen();
    [[nodiscard]] clock::time_point next_event() const noexcept;
    void sleep(std::stop_token const& stop);
    void wait_for_writers(parameters const& writers, std::stop_token const& stop);
    void poll_shortly(std::stop_token const& stop);
    std::vector<pg_result> exchange(pipeline const& pipeline);

    /// @return false: another reader is at work, and the next `lead` asks for the lease
    template <class Work>
    bool unless_taken(Work const& work) {
        try {
            work();
            return true;
        } catch (pqxx::sql_error const& e) {
            if (!taken_by_another(e)) {
                throw;
            }
            lost();
            return false;
        }
    }

    reader_options m_options;
    std::string m_subscription;
    reader_session m_session;
    sql::outbox_statements const& m_texts;
    sql::lease_statements const& m_lease_texts;
    slice_lease m_lease;
    std::optional<delivery_batch> m_batch;
    bool m_shown = false;
    // The newest batch that was acknowledged when the slice was last read: a place from where to look for the newest.
    std::int64_t m_acknowledged = 0;
    // What a batch may bring: less after there was no memory for one, and soon as much again.
    std::size_t m_bytes;
    int m_parked_limit;
    // The last call of take_parked was not cut short by a limit.
    bool m_took_all_parked = false;
    std::string m_channel;
    bool m_listen;
    // The last sleep whose end was passed on.
    std::string m_woken;
    std::chrono::milliseconds m_idle_pause{1};
    // When it read last, and when it last found something; whether what was found before that is not long ago.
    clock::time_point m_read_at{};
    clock::time_point m_found_at{};
    bool m_streams = false;
    // The last batch was cut short: more is there, and need not gather.
    bool m_was_full = false;
    // Writers seem to be busy until then.
    clock::time_point m_busy_until{};
    clock::time_point m_look_for_due_at{};
    clock::time_point m_scheduled_at = clock::time_point::max();
    clock::time_point m_parked_at = clock::time_point::max();
};

} // namespace once::detail
