// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/detail/fields.hpp>
#include <once/error.hpp>
#include <once/export.hpp>
#include <once/response.hpp>
#include <once/transaction.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace once {

/// Where the effect of a phase is, and so what a crash in the middle of it leaves.
enum class effect {
    /// In this database, in the transaction that also moves the recovery point: it happens once.
    in_database,
    /// Outside, at a receiver that knows a repeated call by its key and does nothing twice. After a crash the call is
    /// made again, with the same key.
    idempotent_remote,
    /// Outside, at a receiver that does not. After a crash it cannot be known whether it happened; the call is never
    /// made again, and a person decides.
    at_most_once,
};

/// The word that C++, SQL, documentation and logs use for it. In SQL, `idempotent_remote` and `at_most_once` are the
/// values of the type `operation_call`.
[[nodiscard]] ONCE_EXPORT std::string_view to_string(effect value) noexcept;

/// A call of an `at_most_once` phase certainly did not reach its receiver: throw it, and the phase is tried again.
/** For example when no connection could be made. Never for a reply that did not come. */
class ONCE_EXPORT call_not_made : public error {
public:
    using error::error;
};

namespace detail {
class operation_run;
}

/// What a phase sees of the operation that it is part of.
/**
 * @par Thread safety
 * One thread at a time; it must not be used after the phase returned.
 */
class ONCE_EXPORT running_operation {
public:
    /// Scope and key of the request that the operation was begun for; a worker that completes it knows it by these.
    [[nodiscard]] std::string const& scope() const noexcept;
    [[nodiscard]] std::string const& key() const noexcept;

    /// What earlier phases left, and what this one leaves for the later ones; up to 1 MiB of JSON.
    /** Kept when the phase is done, dropped when it fails. People who run the database can read it. */
    [[nodiscard]] nlohmann::json& data() noexcept { return m_data; }
    [[nodiscard]] nlohmann::json const& data() const noexcept { return m_data; }

    /// The idempotency key to send with the call of this phase: a UUID, the same at every attempt.
    /** Derived from service, scope, key and the name of the phase, so even an operation that a failover lost and that
     * is begun again calls with the same one. */
    [[nodiscard]] std::string const& call_key() const noexcept;

    /// 1 for the first time that this phase is run, more after failures and take-overs. With more, an
    /// `idempotent_remote` call may have reached its receiver before.
    [[nodiscard]] int attempt() const noexcept;

    /// How long no other process may take the operation over, by this machine's steady clock. A call that may last
    /// longer needs a longer lease, or `renew` in between.
    [[nodiscard]] std::chrono::steady_clock::time_point owned_until() const noexcept;

    /// Renews the lease, in a separate transaction that commits at once, so the lease stays renewed when the phase
    /// fails.
    /// @throws once::ownership_lost when another process has taken the operation over: stop.
    void renew();

private:
    friend class detail::operation_run;
    running_operation(detail::operation_run& run, nlohmann::json& data) noexcept : m_run{run}, m_data{data} {}

    detail::operation_run& m_run;
    nlohmann::json& m_data;
};

/// Another process has taken the operation over since. What this process does for it is refused.
/**
 * Let it pass: `operation::run` then answers `in_progress`. The new owner knows of a call to the outside that was under
 * way, because the recovery point was committed before the call was made.
 */
class ONCE_EXPORT ownership_lost : public error {
public:
    using error::error;
};

/// One step of an operation. Make it with `in_database`, `idempotent_remote` or `at_most_once`, which set the members
/// that belong together; `operation` refuses a phase without its function.
struct phase {
    /// What the recovery point is called while this phase is next. Printable ASCII, 1 to 255 bytes. It is stored: once
    /// operations are under way, do not rename it.
    std::string name;
    /// What a crash in the middle of it leaves; decides whether `work` or `call` is set.
    once::effect effect;
    /// Set for `in_database`. A response ends the operation.
    std::function<std::optional<response>(transaction&, running_operation&)> work{};
    /// Set for the other two. No transaction is open while it runs.
    std::function<void(running_operation&)> call{};
};

/// A phase with SQL only. It may run more than once; each run starts from a rolled back database (see `execute`).
/**
 * `work(transaction&, running_operation&)` returns nothing or `std::nullopt` to go on with the next phase, or a
 * `response` to finish the operation with. The response is stored, whatever its status: what was done outside cannot be
 * rolled back. The last phase must return one.
 *
 * An exception rolls the phase back. The operation stays at this recovery point, and a worker or a repeat runs the
 * phase again after `operation_options::retry_after`, up to `max_attempts` times.
 */
template <class Work>
    requires std::invocable<Work&, transaction&, running_operation&>
[[nodiscard]] phase in_database(std::string name, Work work) {
    using result = std::invoke_result_t<Work&, transaction&, running_operation&>;
    static_assert(std::is_void_v<result> || std::convertible_to<result, std::optional<response>>,
                  "a phase in the database returns nothing, once::response or std::optional<once::response>");
    phase made{.name = std::move(name), .effect = effect::in_database};
    made.work = [work = std::move(work)](transaction& tx,
                                         running_operation& op) mutable -> std::optional<response> {
        if constexpr (std::is_void_v<result>) {
            std::invoke(work, tx, op);
            return std::nullopt;
        } else {
            return std::invoke(work, tx, op);
        }
    };
    return made;
}

/// Refused by the compiler: a phase that does not fit.
template <class Work>
    requires(!std::invocable<Work&, transaction&, running_operation&>)
phase in_database(std::string, Work) {
    static_assert(detail::never<Work>,
                  "once: the work of once::in_database takes (once::transaction&, once::running_operation&)");
    return detail::nothing<phase>();
}

/// A call to a receiver that takes `running_operation::call_key` and never acts twice on one key.
/**
 * `call(running_operation&)` runs outside any transaction. It puts what the receiver answered into `data`. When it
 * throws, nothing is known and nothing need be: it is made again later.
 *
 * Choose it only when the receiver documents how long it remembers a key, and that is longer than an operation can be
 * under way. A receiver that ignores the key makes this an effect that can happen twice.
 */
[[nodiscard]] ONCE_EXPORT phase idempotent_remote(std::string name,
                                                  std::function<void(running_operation&)> call);

/// Refused by the compiler: a call that does not fit.
template <class Call>
    requires(!std::convertible_to<Call, std::function<void(running_operation&)>>)
phase idempotent_remote(std::string, Call&&) {
    static_assert(detail::never<Call>,
                  "once: the call of once::idempotent_remote takes (once::running_operation&)");
    return detail::nothing<phase>();
}

/// A call to a receiver that would act on a repeated one again.
/**
 * That it is about to be made is committed first. When it throws anything but `call_not_made`, or its process
 * vanishes, the operation is `unknown_effect`, until a person looks at the receiver and decides: `resolve_operation` in
 * SQL goes on with this phase or the next one, `end_operation` answers the request.
 */
[[nodiscard]] ONCE_EXPORT phase at_most_once(std::string name, std::function<void(running_operation&)> call);

/// Refused by the compiler: a call that does not fit.
template <class Call>
    requires(!std::convertible_to<Call, std::function<void(running_operation&)>>)
phase at_most_once(std::string, Call&&) {
    static_assert(detail::never<Call>,
                  "once: the call of once::at_most_once takes (once::running_operation&)");
    return detail::nothing<phase>();
}

} // namespace once
