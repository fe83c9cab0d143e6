// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/detail/fields.hpp>
#include <once/export.hpp>
#include <once/options.hpp>
#include <once/phase.hpp>
#include <once/request.hpp>
#include <once/response.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace once {

/// What became of an operation.
enum class operation_outcome {
    /// It was finished by this call, which did all of it or the rest of it.
    done,
    /// It had been finished before: here is the stored response.
    replayed,
    /// Another process has it, or it waits after a failure for its next attempt. Ask again later.
    in_progress,
    /// The key was used for a request with another fingerprint. Nothing was run, nothing is shown.
    key_reused,
    /// A call that must not be repeated may have been made. A person decides: `resolve_operation` in SQL.
    unknown_effect,
    /// All attempts at one phase failed. A person decides: `resolve_operation` or `end_operation` in SQL.
    failed,
};

/// The word that C++, SQL, documentation and logs use for it.
[[nodiscard]] ONCE_EXPORT std::string_view to_string(operation_outcome value) noexcept;

/// The answer to `operation::run`.
struct operation_reply {
    operation_outcome outcome;
    /// When done or replayed (there it is empty when only the key was kept).
    std::optional<once::response> response{};
    /// When in_progress, unknown_effect or failed: the phase where it stands, if that is known.
    std::string phase{};
    /// When in_progress: a good time to wait before asking again.
    std::chrono::milliseconds retry_after{0};
};

/// How an operation runs. Checked when the `operation` is constructed.
struct operation_options {
    /// How long nobody else may take it over after its owner was last heard of, 100 milliseconds to 1 day. Longer than
    /// the longest phase takes; a phase that runs longer may lose the operation to another process, which is safe.
    detail::time_field<"operation_options.lease"> lease{std::chrono::milliseconds{30'000}};

    /// How long the response is kept once it is there, 1 second to 366 days.
    detail::time_field<"operation_options.retention"> retention{std::chrono::hours{24}};

    /// How long to wait for another transaction that holds the key. At most 1 hour.
    detail::time_field<"operation_options.wait"> wait{std::chrono::milliseconds{2'000}};

    /// How often one phase is begun before the operation is `failed`, 1 to 1000.
    int max_attempts = 20;

    /// The pause before a phase that failed is begun again, doubled at each failure, and its cap. Up to 1 day.
    detail::time_field<"operation_options.retry_after"> retry_after{std::chrono::milliseconds{1'000}};
    detail::time_field<"operation_options.max_retry_after"> max_retry_after{
        std::chrono::milliseconds{300'000}};

    /// Largest body that is stored, up to 256 MiB.
    std::size_t max_response_bytes = std::size_t{1024} * 1024;

    /// For the transactions of the phases.
    transaction_options transaction{};
};

namespace detail {
class operation_plan;
}

/// An operation with effects outside of the database, run in phases that a crash cannot repeat or lose.
/**
 * Each phase ends with a transaction that moves the *recovery point* to the next one. When the process dies, the next
 * owner goes on there: a repeat of the request once the lease is over, or an `operation_worker`. Each take-over
 * raises a fencing number, which every transaction of a phase checks when it commits: an owner that was only slow can
 * change nothing any more.
 *
 * @code
 * once::operation const book{"book order", {
 *     once::in_database("reserve", [](once::transaction& tx, once::running_operation& op) { ... }),
 *     once::idempotent_remote("charge", [](once::running_operation& op) { pay(op.call_key(), op.data()); }),
 *     once::in_database("confirm", [](once::transaction& tx, once::running_operation& op) -> once::response { ... }),
 * }};
 * auto const reply = book.run(db, request, {{"item", "tea"}});
 * @endcode
 *
 * The request is one of those that `execute` knows: same scope and key, same record. While the operation runs,
 * everybody who comes with its key is told `in_progress`; when it is finished, they get the stored response.
 *
 * @par Thread safety
 * A value that does not change; its functions run in the threads that call `run`, several at a time.
 */
class ONCE_EXPORT operation {
public:
    /// @param name   which operation it is: stored, so that a worker knows which phases to run. Printable ASCII, 1 to
    ///               255 bytes.
    /// @param phases 1 to 100, with different names; the last one is `in_database` and returns the response
    /// @throws once::invalid_argument naming the field
    operation(std::string name, std::vector<phase> phases, operation_options options = {});

    /// Begins the operation, or goes on with it, and runs it to its end.
    /**
     * @param data what the first phase finds in `running_operation::data`; of a repeat it is ignored. Up to 1 MiB.
     *
     * @par Transaction
     * One to begin and one for each phase; an `at_most_once` phase that is begun again takes one more. A repeat of a
     * finished operation takes one.
     * @par Throws
     * `once::invalid_argument` before anything is sent, and what a phase throws, after the operation was given back:
     * it goes on later at that phase, by a repeat or a worker, up to `max_attempts`. An exception therefore does not
     * mean that nothing took effect.
     */
    [[nodiscard]] operation_reply run(database& db, request const& request, nlohmann::json const& data) const;
    /// The same with an empty object as data.
    [[nodiscard]] operation_reply run(database& db, request const& request) const;

    [[nodiscard]] std::string const& name() const noexcept;

private:
    friend class operation_worker;

    std::shared_ptr<detail::operation_plan const> m_plan;
};

} // namespace once
