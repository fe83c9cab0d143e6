// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "provider.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <httplib.h>
#include <set>
#include <stdexcept>
#include <sys/types.h>
#include <thread>

namespace booking {

struct provider::server {
    struct charge {
        int number = 0;
        std::string customer{};
    };

    httplib::Server http{};
    mutable std::mutex mutex{};
    std::map<std::string, charge> by_key{};
    std::set<std::string> reply_lost{};
    int requests = 0;
    std::thread thread{};

    void kill_client(httplib::Request const& request) const {
        ::kill(static_cast<pid_t>(std::stol(request.get_header_value("X-Pid"))), SIGKILL);
    }

    void take_money(httplib::Request const& request, httplib::Response& response) {
        auto const key = request.get_header_value("Idempotency-Key");
        auto const fault = request.get_header_value("X-Fault");
        if (key.empty()) {
            response.status = 400;
            return;
        }
        if (fault == "kill-before") {
            kill_client(request);
        }
        auto const order = nlohmann::json::parse(request.body);
        charge made;
        bool lose = false;
        {
            std::lock_guard const lock{mutex};
            ++requests;
            // The first request with a key takes the money, from any sender; every other one gets the same answer.
            made = by_key
                       .try_emplace(key, charge{.number = static_cast<int>(by_key.size()) + 1,
                                                .customer = order.at("customer").get<std::string>()})
                       .first->second;
            lose = fault == "lose-reply" && reply_lost.insert(key).second;
        }
        if (fault == "kill-after") {
            kill_client(request);
        }
        auto const answer = nlohmann::json{{"charge", made.number}}.dump();
        if (lose) { // promises an answer and hangs up
            response.set_content_provider(answer.size() + 100, "application/json",
                                          [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
            return;
        }
        response.status = 201;
        response.set_content(answer, "application/json");
    }
};

provider::provider() : m_server{std::make_unique<server>()} {
    m_server->http.Post("/charges", [this](httplib::Request const& request, httplib::Response& response) {
        m_server->take_money(request, response);
    });
    m_port = m_server->http.bind_to_any_port("127.0.0.1");
    if (m_port <= 0) {
        throw std::runtime_error{"the provider cannot listen on 127.0.0.1"};
    }
    m_server->thread = std::thread{[this] { m_server->http.listen_after_bind(); }};
}

provider::~provider() {
    m_server->http.stop();
    m_server->thread.join();
}

std::map<std::string, int> provider::charges() const {
    std::lock_guard const lock{m_server->mutex};
    std::map<std::string, int> made;
    for (auto const& [key, one] : m_server->by_key) {
        ++made[one.customer];
    }
    return made;
}

int provider::requests() const {
    std::lock_guard const lock{m_server->mutex};
    return m_server->requests;
}

} // namespace booking
