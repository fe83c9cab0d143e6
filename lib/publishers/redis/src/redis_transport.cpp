// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "redis_transport.hpp"

#include <once/error.hpp>

#include <algorithm>
#include <utility>

namespace once::redis {

namespace {

constexpr std::string_view payload_field = "payload";

detail::broker_answer refused(std::size_t place, std::string why) {
    return {.place = place,
            .answer = {.result = publish_result::retry, .error = "Redis: " + std::move(why)},
            .about_all = true};
}

std::string shown(redisReply const& reply) {
    constexpr std::size_t longest = 200;
    return std::string{text_of(reply).substr(0, longest)};
}

} // namespace

transport::transport(address where, redis_options options)
    : m_where{std::move(where)}, m_options{std::move(options)} {}

std::optional<std::string> transport::open(time_point deadline) {
    m_pending.clear();
    if (m_lost || (m_session && m_session->is_dead())) {
        abandon();
    }
    m_lost.reset();
    if (!m_session) {
        std::string error;
        m_session = session::open(m_where, m_options, deadline, error);
        if (!m_session) {
            return "Redis: " + error;
        }
    }
    return {};
}

void transport::submit(detail::broker_message message) {
    if (message.destination.empty()) {
        throw invalid_argument{"stream", "the template gives an empty name"};
    }
    m_pending.push_back(std::move(message));
}

void transport::append(detail::broker_message const& message) {
    std::vector<std::string_view> words{"XADD", message.destination};
    auto const most = std::to_string(m_options.max_length);
    if (!m_options.make_streams) {
        words.emplace_back("NOMKSTREAM");
    }
    if (m_options.max_length > 0) {
        words.insert(words.end(), {"MAXLEN", "~", most});
    }
    // Not an id of ours: parked messages come late, and an id must be above the last one.
    words.emplace_back("*");
    for (std::size_t i = 0; i < message.headers.size(); ++i) {
        auto const& [name, value] = message.headers[i];
        if (i < message.set_here || name != payload_field) {
            words.emplace_back(name);
            words.emplace_back(value);
        }
    }
    words.emplace_back(payload_field);
    words.emplace_back(message.body());
    m_session->append(words);
}

std::vector<detail::broker_answer> transport::wait(time_point deadline) {
    std::vector<detail::broker_answer> made;
    auto const sent = std::exchange(m_pending, {});
    if (sent.empty() || !m_session || std::chrono::steady_clock::now() >= deadline) {
        return made;
    }
    m_session->append({"MULTI"});
    for (auto const& message : sent) {
        append(message);
    }
    m_session->append({"EXEC"});
    std::string refusal;
    for (std::size_t i = 0; i < sent.size() + 1; ++i) { // MULTI, and what is queued
        auto const reply = m_session->read(deadline);
        if (!reply) {
            note_end_of_session();
            return made;
        }
        if (is_error(*reply) && refusal.empty()) {
            refusal = shown(*reply);
        }
    }
    auto const reply = m_session->read(deadline);
    if (!reply) {
        note_end_of_session();
        return made;
    }
    bool const executed = reply->type == REDIS_REPLY_ARRAY && reply->elements == sent.size();
    for (std::size_t i = 0; i < sent.size(); ++i) {
        made.push_back(executed ? judge(sent[i], *reply->element[i])
                                : refused(sent[i].place, refusal.empty() ? shown(*reply) : refusal));
    }
    if (executed && m_options.wait_replicas > 0) {
        wait_for_replicas(made, deadline);
    }
    return made;
}

detail::broker_answer transport::judge(detail::broker_message const& message, redisReply const& reply) const {
    if (reply.type == REDIS_REPLY_STRING) {
        return {.place = message.place};
    }
    return refused(message.place, reply.type == REDIS_REPLY_NIL
                                      ? "there is no stream " + message.destination
                                      : shown(reply) + " (stream " + message.destination + ")");
}

// The server has the messages; until enough replicas have them, they do not count, and come again.
void transport::wait_for_replicas(std::vector<detail::broker_answer>& answers, time_point deadline) {
    using namespace std::chrono_literals;
    auto const left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    auto const wanted = std::to_string(m_options.wait_replicas);
    auto const patience =
        std::to_string(std::max<std::int64_t>((left * 3 / 4).count(), 1)); // 0 would be for ever
    m_session->append({"WAIT", wanted, patience});
    auto const reply = m_session->read(deadline);
    if (!reply) {
        note_end_of_session();
        answers.clear();
        return;
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= m_options.wait_replicas) {
        return;
    }
    auto const why = is_error(*reply)
                         ? shown(*reply)
                         : std::to_string(reply->integer) + " of " + wanted + " replicas have it in time";
    for (auto& one : answers) {
        if (one.answer.result == publish_result::accepted) {
            one = refused(one.place, why);
        }
    }
}

void transport::note_end_of_session() {
    if (!m_session->timed_out()) {
        m_lost = "Redis: the connection was lost: " + m_session->why();
    }
}

void transport::abandon() noexcept {
    m_session.reset();
    m_pending.clear();
}

} // namespace once::redis
