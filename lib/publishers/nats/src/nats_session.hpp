// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/nats_publisher.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <nats/nats.h>
#include <optional>
#include <string>
#include <vector>

namespace once::nats {

using time_point = std::chrono::steady_clock::time_point;

/// Time that is left, in whole milliseconds, at least 1.
[[nodiscard]] std::int64_t milliseconds_until(time_point when);

struct destroy_message {
    void operator()(natsMsg* message) const noexcept { natsMsg_Destroy(message); }
};
using owned_message = std::unique_ptr<natsMsg, destroy_message>;

/// What the client library's threads have heard on one connection.
struct news {
    std::mutex mutex;
    std::condition_variable changed;
    /// Acknowledgements, as they came.
    std::vector<owned_message> messages;
    /// The last error that the server sent without being asked: a right that is missing, for example.
    std::string error;
    bool closed = false;
};

/// One connection, with a subscription for acknowledgements. It never reconnects by itself: what is published would
/// leave later, after publish() has returned.
class session {
public:
    /// Nothing when it was not made; `error` says why.
    static std::unique_ptr<session> open(std::vector<std::string> const& urls, nats_options const& options,
                                         time_point deadline, std::string& error);
    ~session();
    session(session const&) = delete;
    session& operator=(session const&) = delete;

    [[nodiscard]] bool connected() const;
    [[nodiscard]] std::int64_t max_payload() const;
    /// Subject for the acknowledgement of a message; what stands behind it comes back.
    [[nodiscard]] std::string const& inbox() const noexcept { return m_inbox; }
    [[nodiscard]] natsStatus publish(natsMsg* message);

    struct heard {
        std::vector<owned_message> messages;
        std::string error;
        bool closed = false;
    };
    /// Waits for acknowledgements, an error, or the end of the connection; none of it when the deadline is there.
    [[nodiscard]] heard listen(time_point deadline);

    /// What the server said of itself, once.
    [[nodiscard]] std::string take_error();

private:
    session() = default;
    std::string prepare(nats_options const& options, time_point deadline);
    std::string check_stream(nats_options const& options, time_point deadline);

    std::shared_ptr<news> m_news = std::make_shared<news>();
    natsConnection* m_connection = nullptr;
    natsSubscription* m_answers = nullptr;
    std::string m_inbox;
};

} // namespace once::nats
