// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "webhooks.hpp"

#include <once/execute.hpp>
#include <once/webhook_publisher.hpp>

#include "deliveries.hpp"
#include "sabotage.hpp"
#include "warehouse.hpp"

#include <pqxx/pqxx>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <support/http_receiver.hpp>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace demo {

namespace {

using namespace std::chrono_literals;
using once::testing::http_answer;
using once::testing::http_request;

/// The webhook publisher, and what `--break` makes of it.
class breakable_publisher final : public once::publisher {
public:
    explicit breakable_publisher(std::string const& url) : m_webhook{url, {.request_timeout = 300ms}} {}

    once::publish_report publish(std::span<once::delivery const> messages,
                                 std::chrono::steady_clock::time_point deadline) override {
        // Early, because a relay is killed soon, and a slow machine makes few calls.
        if (sabotaged("loss") && m_calls++ % 8 == 1) {
            return {.answers = std::vector<once::publish_answer>(messages.size())};
        }
        return sabotaged("order") ? swap_first_two(messages, deadline)
                                  : m_webhook.publish(messages, deadline);
    }

private:
    /// Sends the first message of a key behind the second one. It keeps the first meanwhile, since a machine that is
    /// slow enough never gives both to one call.
    once::publish_report swap_first_two(std::span<once::delivery const> messages,
                                        std::chrono::steady_clock::time_point deadline) {
        std::vector<once::delivery> sent;
        std::vector<std::optional<std::size_t>> places; // of each message in `sent`
        for (auto const& message : messages) {
            auto const [first, is_first] = m_first.try_emplace(message.key, message);
            places.push_back(is_first ? std::nullopt : std::optional{sent.size()});
            if (!is_first) {
                sent.push_back(message);
                if (auto const kept = std::exchange(first->second, std::nullopt)) {
                    sent.push_back(*kept);
                }
            }
        }
        auto report = m_webhook.publish(sent, deadline);
        if (report.answers.size() == sent.size()) {
            std::vector<once::publish_answer> answers;
            for (auto const& place : places) {
                answers.push_back(place ? report.answers[*place] : once::publish_answer{});
            }
            report.answers = std::move(answers);
        }
        return report;
    }

    once::webhook_publisher m_webhook;
    int m_calls = 0;
    std::map<std::string, std::optional<once::delivery>> m_first;
};

// After kill -9 of the one before, the relay may be connecting at this moment and be given the port as its own.
std::unique_ptr<once::testing::http_receiver> listen(std::uint16_t port) {
    auto const limit = std::chrono::steady_clock::now() + 5s;
    for (;;) {
        try {
            return std::make_unique<once::testing::http_receiver>(port);
        } catch (std::system_error const& e) {
            if (e.code().value() != EADDRINUSE || std::chrono::steady_clock::now() > limit) {
                throw;
            }
            std::this_thread::yield();
        }
    }
}

class front_door {
public:
    front_door(once::database& db, std::uint64_t seed) : m_db{db}, m_random{seed} {}

    http_answer answer(http_request const& request) {
        try {
            return work_on(request);
        } catch (std::exception const&) {
            return busy(); // the database is away; it comes again
        }
    }

private:
    static http_answer busy() { return {.status = 503}; }

    http_answer work_on(http_request const& request) {
        if (roll(50) == 0) {
            log_refusal(request);
            return busy();
        }
        bool const lost = roll(20) == 0;
        warehouse::webhook const message{
            .id = request.id(), .topic = request.header("once-topic"), .body = request.body};
        if (!warehouse::receive(m_db, message, lost ? "lost" : "204")) {
            return busy();
        }
        if (sabotaged("repeat")) {
            do_again(message);
        }
        return {.sent = lost ? http_answer::how::lost : http_answer::how::whole};
    }

    [[nodiscard]] std::uint64_t roll(unsigned sides) { return m_random() % sides; }

    void log_refusal(http_request const& request) {
        once::transact(m_db, [&](once::transaction& tx) {
            tx.exec("insert into warehouse.request (message_id, answer) values ($1, '503')",
                    pqxx::params{request.id()});
        }).expect_committed();
    }

    void do_again(warehouse::webhook const& message) {
        once::transact(m_db, [&](once::transaction& tx) {
            tx.exec("insert into warehouse.job (message_id, topic) "
                    "select $1, $2 from warehouse.request where message_id = $1 and receipt = 'seen'",
                    pqxx::params{message.id, message.topic});
        }).expect_committed();
    }

    once::database& m_db;
    std::mt19937_64 m_random;
};

} // namespace

bool can_send_webhooks() noexcept {
    return true;
}

void run_relay(once::database& db, std::uint16_t port, std::stop_token const& stop) {
    breakable_publisher to{"http://127.0.0.1:" + std::to_string(port) + "/jobs"};
    deliveries::run(db, to, stop);
}

void run_warehouse(once::database& db, daemon_task const& task, event_pipe& events,
                   std::stop_token const& stop) {
    front_door door{db, task.seed};
    auto const receiver = listen(task.port);
    receiver->set_script([&](http_request const& request) { return door.answer(request); });
    events.send({{"event", "ready"}, {"port", receiver->port()}});

    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock{mutex};
    stopped.wait(lock, stop, [] { return false; });
}

} // namespace demo
