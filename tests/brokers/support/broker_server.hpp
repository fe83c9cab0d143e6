// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

namespace once::testing {

/// A real broker that tools/dev/brokers has started. Without it the test is skipped.
class broker_server {
public:
    /// @param name NATS, REDIS, KAFKA or RABBITMQ
    explicit broker_server(std::string name) : m_name{std::move(name)} {
        if (variable("").empty()) {
            SKIP("no " << m_name
                       << " here: tools/dev/dependencies --brokers, then tools/dev/brokers run -- ...");
        }
    }
    broker_server(broker_server const&) = delete;
    broker_server& operator=(broker_server const&) = delete;
    /// The next test finds it at work, however this one has ended.
    ~broker_server() {
        try {
            start();
        } catch (std::exception const&) { // NOLINT(bugprone-empty-catch) the next test will say so
        }
    }

    [[nodiscard]] std::string url() const { return variable(""); }
    /// The certificate to trust.
    [[nodiscard]] std::string ca_file() const { return variable("_CA"); }
    [[nodiscard]] std::string variable(std::string const& suffix) const {
        auto const* const found = std::getenv(("ONCE_TEST_" + m_name + suffix).c_str());
        return found != nullptr ? found : "";
    }

    void kill() const { control("kill9"); }
    void stop() const { control("stop"); }
    void go_on() const { control("cont"); }
    /// Returns when it answers.
    void start() const { control("start"); }
    /// RabbitMQ: what happens when its memory is full, until calm().
    void alarm() const { control("alarm"); }
    void calm() const { control("calm"); }
    /// RabbitMQ: which queues there are is on disk afterwards. A quorum queue younger than that comes back empty and
    /// without a leader when the broker is killed (docs/rabbitmq.md).
    void settle() const { control("settle"); }

private:
    void control(char const* word) const {
        auto const command = variable("_CONTROL") + ' ' + word;
        if (std::system(command.c_str()) != 0) { // NOLINT(cert-env33-c,concurrency-mt-unsafe)
            throw std::runtime_error{command + " failed"};
        }
    }

    std::string m_name;
};

/// A name that no other test uses.
[[nodiscard]] inline std::string unique_name(std::string const& begin) {
    return begin + '_' + std::to_string(std::random_device{}());
}

} // namespace once::testing
