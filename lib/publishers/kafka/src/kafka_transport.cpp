// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "kafka_transport.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <utility>

namespace once::kafka {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

detail::broker_answer refused(std::size_t place, std::string why) {
    return {.place = place,
            .answer = {.result = publish_result::retry, .error = "Kafka: " + std::move(why)},
            .about_all = true};
}

rd_kafka_headers_t* headers_of(detail::broker_message const& message) {
    auto* const made = rd_kafka_headers_new(message.headers.size());
    for (auto const& [name, value] : message.headers) {
        rd_kafka_header_add(made, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                            static_cast<ssize_t>(value.size()));
    }
    return made;
}

std::string limit_of(topic const& one) {
    return one.max_message_bytes
               ? "max.message.bytes of the topic is " + std::to_string(*one.max_message_bytes)
               : "that is more than the topic takes (max.message.bytes)";
}

} // namespace

transport::transport(std::string const& brokers, kafka_options options)
    : m_options{std::move(options)}, m_settings{brokers, m_options} {}

std::optional<std::string> transport::open(time_point deadline) {
    m_under_way.clear();
    m_known.clear();
    m_deadline = deadline;
    if (m_producer && (m_producer->is_refused() || m_producer->all_down_since())) {
        abandon();
    }
    m_lost.reset();
    if (m_producer) {
        return {};
    }
    m_producer = std::make_unique<producer>(m_settings);
    auto const patience = std::min<time_point>(deadline, clock::now() + m_options.connect_timeout);
    // In slices, because a broker that refuses us is told by an event.
    while (clock::now() < patience && !m_producer->is_refused()) {
        struct rd_kafka_metadata const* about = nullptr;
        auto const slice = std::min(milliseconds_until(patience), 100);
        auto const status = rd_kafka_metadata(m_producer->handle(), 0, nullptr, &about, std::max(slice, 1));
        if (status == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(about);
            return {};
        }
        static_cast<void>(m_producer->poll(clock::now()));
        // The reason, such as a certificate that is not trusted, may come behind the word that all are down.
        auto const down = m_producer->all_down_since();
        if (down && (!m_producer->last_error().empty() || clock::now() >= *down + m_options.idle_grace)) {
            break;
        }
    }
    static_cast<void>(m_producer->poll(clock::now()));
    auto why = "Kafka: " +
               (m_producer->last_error().empty() ? "no broker can be reached" : m_producer->last_error());
    abandon();
    return why;
}

topic const* transport::find_topic(std::string const& name) {
    if (auto const known = m_topics.find(name); known != m_topics.end()) {
        return &known->second;
    }
    auto const patience = std::min<time_point>(m_deadline, clock::now() + m_options.connect_timeout);
    auto found = look_at(*m_producer, name, patience);
    if (!found) {
        return nullptr;
    }
    if (m_options.log && found->replicas == 1) {
        m_options.log("topic " + name + " has one replica: what counts as accepted is lost with its broker");
    } else if (m_options.log && found->min_insync_replicas == 1) {
        m_options.log("topic " + name +
                      " has min.insync.replicas 1: what counts as accepted may be on one broker only, and "
                      "lost with it");
    }
    return &m_topics.insert_or_assign(name, std::move(*found)).first->second;
}

void transport::submit(detail::broker_message message) {
    if (!is_topic_name(message.destination)) {
        throw invalid_argument{"topic", "the template gives a name that no topic of Kafka can have"};
    }
    auto const* const about = find_topic(message.destination);
    m_under_way.emplace(message.place, message.destination);
    if (about == nullptr) {
        lose(m_producer->last_error().empty() ? "no broker answers" : m_producer->last_error());
        return;
    }
    if (!about->problem.empty()) {
        m_known.push_back(refused(message.place, about->problem));
        m_topics.erase(message.destination); // it may be there next time
        return;
    }
    if (about->max_message_bytes && message.bytes() > static_cast<std::uint64_t>(*about->max_message_bytes)) {
        m_under_way.erase(message.place);
        throw invalid_argument{"payload", "with key and headers it has " + std::to_string(message.bytes()) +
                                              " bytes, and " + limit_of(*about)};
    }
    produce(message);
}

void transport::produce(detail::broker_message const& message) {
    auto const& key = message.source->key;
    auto const& body = message.body();
    auto* const headers = headers_of(message);
    // A key and a value that are empty are something else than none.
    auto const error = rd_kafka_producev(
        m_producer->handle(), RD_KAFKA_V_TOPIC(message.destination.c_str()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(body.c_str()), body.size()), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(message.place + 1)), RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    rd_kafka_headers_destroy(headers); // it has become nobody's
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        m_under_way.erase(message.place);
        throw invalid_argument{"payload", "it is larger than message.max.bytes of librdkafka"};
    }
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        lose("the producer can send nothing more");
        return;
    }
    m_known.push_back(refused(message.place, rd_kafka_err2str(error)));
}

std::vector<detail::broker_answer> transport::wait(time_point deadline) {
    auto made = std::exchange(m_known, {});
    while (made.empty() && !m_lost && m_producer) {
        auto const down = m_producer->all_down_since();
        auto const until = down ? std::min<time_point>(deadline, *down + m_options.idle_grace) : deadline;
        for (auto const& one : m_producer->poll(until)) {
            if (m_under_way.contains(one.place)) {
                made.push_back(judge(one));
            }
        }
        auto const now = clock::now();
        if (m_producer->is_refused() ||
            (down && made.empty() && m_producer->all_down_since() && now >= until && now < deadline)) {
            lose(m_producer->last_error().empty() ? "no broker can be reached" : m_producer->last_error());
        }
        if (now >= deadline) {
            break;
        }
    }
    for (auto const& one : made) {
        m_under_way.erase(one.place);
    }
    return made;
}

detail::broker_answer transport::judge(report const& one) {
    auto const& name = m_under_way.at(one.place);
    switch (one.error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return one.persisted ? detail::broker_answer{.place = one.place}
                             : refused(one.place, "the report does not say that it is persisted");
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: {
        auto const known = m_topics.find(name);
        auto const limit = limit_of(known == m_topics.end() ? topic{} : known->second);
        m_topics.erase(name); // its limit may have changed
        return {.place = one.place,
                .answer = {.result = publish_result::rejected, .error = "Kafka: it is too large: " + limit}};
    }
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        return {.place = one.place,
                .answer = {.result = publish_result::rejected,
                           .error = "Kafka: the topic " + name + " refuses such a record (has it a key?)"}};
    default:
        m_topics.erase(name);
        return refused(one.place, std::string{rd_kafka_err2str(one.error)} + " (topic " + name + ")");
    }
}

// Nothing may be sent any more once publish() has returned, and librdkafka would go on trying.
void transport::lose(std::string why) {
    m_lost = "Kafka: " + std::move(why);
    m_producer.reset();
    m_topics.clear();
}

void transport::abandon() noexcept {
    m_producer.reset();
    m_under_way.clear();
    m_topics.clear();
}

} // namespace once::kafka
