// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/broker_options.hpp>
#include <once/export.hpp>
#include <once/publisher.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/** @file
 * What publishers for brokers share: which message is sent when, what its answer means for the rest, and what it looks
 * like. A broker adds a transport: connect, hand over, collect answers.
 */
namespace once::detail {

/// A message as a broker gets it.
struct broker_message {
    /// Comes back with its answer.
    std::size_t place = 0;
    delivery const* source = nullptr;
    /// Made by the template; whether the broker can have such a name is for the transport to say.
    std::string destination{};
    /// Names and values as they are; a transport encodes what its protocol cannot carry.
    std::vector<header> headers{};
    /// How many of them are set here; the message's own follow.
    std::size_t set_here = 0;
    /// Of the payload, or of `text`.
    [[nodiscard]] std::string const& body() const noexcept { return text ? *text : source->payload.data(); }
    /// One that was made, for structured CloudEvents.
    std::optional<std::string> text{};
    [[nodiscard]] ONCE_EXPORT std::size_t bytes() const noexcept;
};

/// Names and headers of a message.
/**
 * @param options         must have passed validate()
 * @param attribute_prefix of CloudEvents attributes in binary form, for example "ce_". The message's own headers that
 *                         begin with it, or have one of the names that are set here, are left out.
 */
[[nodiscard]] ONCE_EXPORT broker_message make_broker_message(delivery const& message,
                                                             broker_options const& options,
                                                             std::string_view attribute_prefix);

/// Everything but printable ASCII, and space, quote and percent sign, as %XX: what CloudEvents does with headers.
[[nodiscard]] ONCE_EXPORT std::string percent_encoded(std::string_view text);

/// What a broker said of one message.
struct broker_answer {
    std::size_t place = 0;
    publish_answer answer{};
    /// Whether it may be about all messages: a name that is not there, a right that is missing, a full disk. If
    /// everything is answered so, the broker is unavailable, and no attempt counts.
    bool about_all = false;
};

/// The connection to a broker.
class ONCE_EXPORT broker_transport {
public:
    using time_point = std::chrono::steady_clock::time_point;

    broker_transport() = default;
    virtual ~broker_transport();
    broker_transport(broker_transport const&) = delete;
    broker_transport& operator=(broker_transport const&) = delete;

    /// Connects, unless it is connected. Nothing when it is ready, else why it is not.
    [[nodiscard]] virtual std::optional<std::string> open(time_point deadline) = 0;

    /// Whether all that is submitted before a wait() for one destination is taken in its order, or nothing of it.
    [[nodiscard]] virtual bool all_or_nothing() const { return false; }

    /// Hands a message over. May be called again before wait().
    /**
     * @throws once::invalid_argument when the broker can never take it: it was not sent, and the text says why. A
     * connection that ends now is told by lost(), and nobody knows about this message.
     */
    virtual void submit(broker_message message) = 0;

    /// Waits until there is an answer, the connection is lost, or the deadline is there. Sends nothing after it.
    [[nodiscard]] virtual std::vector<broker_answer> wait(time_point deadline) = 0;

    /// Why the connection is gone, until the next open().
    [[nodiscard]] virtual std::optional<std::string> lost() const = 0;

    /// Ends the connection with what is under way. The next open() makes a new one.
    virtual void abandon() noexcept = 0;
};

/// Sends batches over a transport by the rules of publisher.hpp.
class ONCE_EXPORT broker_sender {
public:
    /// @throws once::invalid_argument naming the field
    broker_sender(broker_options options, std::string attribute_prefix,
                  std::unique_ptr<broker_transport> transport);
    ~broker_sender();
    broker_sender(broker_sender const&) = delete;
    broker_sender& operator=(broker_sender const&) = delete;

    [[nodiscard]] publish_report publish(std::span<delivery const> messages,
                                         broker_transport::time_point deadline);

private:
    broker_options m_options;
    std::string m_attribute_prefix;
    std::unique_ptr<broker_transport> m_transport;
};

} // namespace once::detail
