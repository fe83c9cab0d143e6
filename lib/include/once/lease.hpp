// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/borrowed.hpp>
#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/fence.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace once {

/// How a lease is acquired and kept.
struct lease_options {
    /// Who holds it, for people who look: as `request::key`. Empty: the application_name of the connection.
    std::string holder{};

    /// How long before the end the holder stops trusting the lease: for clocks that run at different rates, and for
    /// what is under way. Less than the duration. Not set: a tenth of the duration.
    std::optional<std::chrono::milliseconds> margin{};

    /// Longest time for one call, a new connection included. 100 milliseconds to 1 hour.
    detail::time_field<"lease_options.timeout"> timeout{std::chrono::milliseconds{5'000}};
};

/// Somebody else holds the lease, or is acquiring it at this moment.
struct held {
    /// Who; empty while the first one is at it, as the others.
    std::string holder;
    /// The number of that acquisition.
    std::int64_t fence = 0;
    /// When the lease runs out unless it is renewed, from now. Negative when a transaction of the holder is still
    /// running under a lease that ran out.
    std::chrono::milliseconds expires_in{0};
};

class lease;

/// What `acquire` came to.
using acquire_result = std::variant<lease, held>;

/// A lease that this process has acquired; given back when the object goes.
/**
 * **A lease is for liveness, its fence for safety.** It keeps two processes from doing the same work at the same time
 * as long as everything goes well. A process that is paused past the end of its lease cannot know that. So each write
 * under the lease shows the fence, and the database refuses a former one: `call_options::fence` for `execute` and
 * `transact`, `assert_fence` for transactions of the caller's own.
 *
 * **A lease does not make a request happen once.** A second click after the release acquires it again. That is what
 * the key of `execute` is for; use both.
 *
 * Nothing runs in the background. The owner calls `renew` at a good moment, and asks `still_trusted` before work that
 * the fence cannot guard.
 *
 * @par Thread safety
 * One thread at a time. It uses the `database` that it came from, which must live longer.
 */
class ONCE_EXPORT lease {
public:
    /// Gives the lease back when it is still held, as `release` does; an error is dropped, the lease then runs out.
    ~lease();
    lease(lease&& other) noexcept;
    /// Gives back what it holds, then takes over `other`.
    lease& operator=(lease&& other) noexcept;
    lease(lease const&) = delete;
    lease& operator=(lease const&) = delete;

    [[nodiscard]] std::string const& name() const noexcept { return m_fence.lease; }

    /// What to show with each action under the lease.
    [[nodiscard]] once::fence const& fence() const noexcept { return m_fence; }

    /// Whether the holder before let the lease run out without a release: it has probably died in the middle of it.
    [[nodiscard]] bool taken_over() const noexcept { return m_taken_over; }

    /// Whether the lease has not run out, as far as this process can tell on its own.
    /**
     * Measured by a clock of this machine that nobody can set and that goes on while the machine sleeps
     * (CLOCK_BOOTTIME), from before the call that acquired or renewed the lease, less the margin. The process can be
     * paused right after the answer: only the fence is safe.
     */
    [[nodiscard]] bool still_trusted() const noexcept;

    /// For how long it will be; zero when it is not.
    [[nodiscard]] std::chrono::milliseconds trusted_for() const noexcept;

    /// Lets the lease run out a full duration from now (the one that it was acquired with, or a new one).
    /**
     * @par Outcome
     * false: it was released, or another process has acquired it. It is not held any more; stop. A lease that ran out
     * and that nobody took is renewed.
     * @par Throws
     * `pqxx::broken_connection` and other errors of the connection: the lease may be renewed or not, and
     * `still_trusted` goes by what is sure. Tried again once on a lost connection.
     */
    [[nodiscard]] bool renew();
    [[nodiscard]] bool renew(std::chrono::milliseconds duration);

    /// Gives the lease back, so that others can acquire it at once.
    /// @return false when it was not held any more
    /// @throws as `renew`; the object then counts as released, and the lease runs out by itself.
    [[nodiscard]] bool release();

    /// Lets the lease go on without this object, until it runs out.
    /// @return the fence, to act with elsewhere
    once::fence detach() noexcept;

private:
    friend ONCE_EXPORT acquire_result acquire(database&, std::string const&, std::chrono::milliseconds,
                                              lease_options const&);
    lease(database& db, once::fence fence, std::chrono::milliseconds duration, lease_options options,
          std::chrono::nanoseconds asked_at, bool taken_over);

    database* m_database; // null: nothing to give back
    once::fence m_fence;
    std::chrono::milliseconds m_duration;
    lease_options m_options;
    std::chrono::nanoseconds m_trusted_until;
    bool m_taken_over;
};

/// Acquires the lease `name` for `duration`, 100 milliseconds to 366 days, if nobody holds it.
/**
 * Does not wait for a holder: ask again later, when `held::expires_in` has passed. A process that asks for a lease that
 * it holds itself is told `held`, too.
 *
 * @par Transaction
 * One of its own, one round trip. An answer `held` writes nothing and takes no lock. Waits up to half a second for
 * another one that is acquiring, or for a transaction that has asserted the fence.
 * @par Throws
 * `once::invalid_argument`; `pqxx::in_doubt_error` when the connection was lost while the lease may have been acquired
 * (nobody knows its fence then, and it runs out); what connecting throws.
 * @par Thread safety
 * Safe.
 */
[[nodiscard]] ONCE_EXPORT acquire_result acquire(database& db, std::string const& name,
                                                 std::chrono::milliseconds duration,
                                                 lease_options const& options = {});

/// Guards what a transaction of the caller writes: it can only commit while the lease is held with this fence.
/**
 * Nobody can acquire the lease from here until the transaction ends, so call it last, just before the commit. The
 * holder can renew it meanwhile. Inside of `execute` use `call_options::fence`, which costs no round trip.
 *
 * @par Transaction
 * One round trip. Locks the lease's row FOR KEY SHARE.
 * @par Throws
 * `once::invalid_argument`; `pqxx::sql_error` with SQLSTATE ON010 when the lease is not held with this fence any more:
 * the transaction is spoilt and must not be repeated under it. 55P03 when another one was acquiring the lease for 2
 * seconds.
 * @par Thread safety
 * That of `tx`.
 */
ONCE_EXPORT void assert_fence(borrowed const& tx, fence const& fence);

} // namespace once
