// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "bed.hpp"

#include "../report.hpp"

#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/transaction>

#include <stdexcept>

namespace once::bench {

namespace {

std::string next_name() {
    static std::atomic<int> last = 0;
    return "bench-" + std::to_string(++last);
}

} // namespace

message message_number(std::int64_t number) {
    constexpr std::size_t payload_bytes = 200;
    auto text = formatted(R"({"order":"A-%lld","customer":"alice","cents":4200,"note":")",
                          static_cast<long long>(number));
    text.append(payload_bytes - 2 - text.size(), 'x');
    text += R"("})";
    return {.topic = "orders.placed",
            .key = "customer-" + std::to_string(number % 10'000),
            .payload = body::json_text(std::move(text))};
}

void run_sql(std::string const& dsn, std::string const& sql) {
    pqxx::connection connection{dsn};
    pqxx::nontransaction session{connection};
    session.exec(sql);
}

void publish_in_batches(pqxx::connection& connection, std::int64_t count, std::size_t at_once) {
    std::vector<message> messages;
    for (std::int64_t number = 0; number < count;) {
        messages.clear();
        for (; number < count && messages.size() < at_once; ++number) {
            messages.push_back(message_number(number));
        }
        pqxx::work tx{connection};
        publish(tx, messages);
        tx.commit();
    }
}

void fill_outbox(std::string const& dsn, std::int64_t count) {
    {
        pqxx::connection connection{dsn};
        pqxx::nontransaction{connection}.exec("set synchronous_commit = off");
        publish_in_batches(connection, count, 1000);
    }
    run_sql(dsn, "vacuum (analyze) once.outbox");
    run_sql(dsn, "checkpoint");
}

publish_report null_publisher::publish(std::span<delivery const> messages,
                                       std::chrono::steady_clock::time_point) {
    m_count += static_cast<std::int64_t>(messages.size());
    publish_report report;
    report.answers.resize(messages.size());
    return report;
}

own_subscription::own_subscription(std::string dsn, subscription_options const& options)
    : m_dsn{std::move(dsn)}, m_name{next_name()} {
    pqxx::connection connection{m_dsn};
    pqxx::work tx{connection};
    if (!subscribe(tx, m_name, options)) {
        throw std::runtime_error{"a subscription of that name is there already"};
    }
    tx.commit();
}

own_subscription::~own_subscription() {
    try {
        pqxx::connection connection{m_dsn};
        pqxx::work tx{connection};
        unsubscribe(tx, m_name);
        tx.commit();
    } catch (std::exception const& e) {
        std::fprintf(stderr, "once_bench_outbox: %s: %s\n", m_name.c_str(), e.what());
    }
}

attached_reader::attached_reader(std::string const& dsn, bool listen)
    : m_subscription{dsn, {}},
      m_db{dsn, {.max_connections = 1}},
      m_relay{m_db, m_subscription.name(), m_publisher, {.reader = {.listen = listen}}},
      m_thread{[this](std::stop_token const& stop) { m_relay.run(stop); }} {}

attached_reader::~attached_reader() = default;

void attached_reader::await(std::int64_t count) const {
    using namespace std::chrono_literals;
    auto const end = std::chrono::steady_clock::now() + 60s;
    while (received() < count) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error{formatted("the reader has received %lld of %lld messages after a minute",
                                               static_cast<long long>(received()),
                                               static_cast<long long>(count))};
        }
        std::this_thread::sleep_for(1ms);
    }
}

} // namespace once::bench
