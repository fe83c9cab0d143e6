// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/error.hpp>
#include <once/json_lines_publisher.hpp>

#include "publishers/append_file.hpp"
#include "publishers/key_order.hpp"
#include "publishers/rendering.hpp"
#include "text/encoding.hpp"

#include <ostream>
#include <utility>

namespace once {

namespace {

using time_point = std::chrono::steady_clock::time_point;

// What is written at a time: enough to make system calls cheap, little enough for a batch of large payloads.
constexpr std::size_t chunk_bytes = std::size_t{256} * 1024;

/// The lines of a batch that are to be written, and which message each is.
struct rendered {
    std::vector<std::string> lines{};
    std::vector<std::size_t> places{};
};

/// Answers what cannot be sent, and renders the rest. Every message that is to be sent is answered `not_sent` for now.
rendered render(std::span<delivery const> messages, std::vector<publish_answer>& answers) {
    rendered made;
    detail::blocked_keys blocked;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        answers[i].result = publish_result::not_sent;
        if (blocked.has(messages[i])) {
            answers[i] = detail::behind_its_key();
            continue;
        }
        try {
            made.lines.push_back(json_line(messages[i]) + '\n');
            made.places.push_back(i);
        } catch (invalid_argument const& e) {
            answers[i] = {.result = publish_result::rejected, .error = e.what()};
            blocked.block(messages[i]);
        }
    }
    return made;
}

/// @return how many lines are complete
std::size_t write_to(detail::append_file& file, std::vector<std::string> const& lines, time_point deadline,
                     publish_report& report) {
    std::size_t done = 0;
    while (done < lines.size() && std::chrono::steady_clock::now() < deadline) {
        std::string chunk;
        std::vector<std::size_t> ends;
        while (done + ends.size() < lines.size() && (ends.empty() || chunk.size() < chunk_bytes)) {
            chunk += lines[done + ends.size()];
            ends.push_back(chunk.size());
        }
        auto const written = file.write(chunk, deadline);
        for (auto const end : ends) {
            done += end <= written.bytes ? 1 : 0;
        }
        if (!written.error.empty()) {
            report.unavailable = written.error;
            break;
        }
    }
    return done;
}

} // namespace

std::string json_line(delivery const& message) {
    std::string line = R"({"id":")" + message.id.to_string() + '"';
    if (message.given_id) {
        line += R"(,"given_id":")" + message.given_id->to_string() + '"';
    }
    line += R"(,"topic":)" + detail::json_string(message.topic);
    auto const add = [&](char const* name, std::string const& text) {
        if (!text.empty()) {
            line += std::string{",\""} + name + "\":" + detail::json_string(text);
        }
    };
    add("key", message.key);
    add("time", detail::rfc3339(message.published_at));
    add("service", message.service);
    if (!message.headers.empty()) {
        line += ",\"headers\":[";
        for (auto const& [name, value] : message.headers) {
            line += (line.back() == '[' ? "[" : ",[") + detail::json_string(name) + ',' +
                    detail::json_string(value) + ']';
        }
        line += ']';
    }
    add("traceparent", message.traceparent);
    add("content_type", message.payload.content_type());
    if (detail::embeds_as_json(message.payload, true)) {
        line += ",\"payload\":" + message.payload.data();
    } else {
        line += ",\"payload_base64\":\"" + detail::to_base64(detail::bytes_of(message.payload.data())) + '"';
    }
    return line += '}';
}

json_lines_publisher::json_lines_publisher(std::string path, json_lines_options options)
    : m_path{std::move(path)}, m_options{options}, m_file{std::make_unique<detail::append_file>()} {
    if (m_path.empty() || m_path.find('\0') != std::string::npos) {
        throw invalid_argument{"json_lines_publisher.path", "it is empty or contains a NUL"};
    }
}

json_lines_publisher::json_lines_publisher(std::ostream& stream) : m_stream{&stream} {}

json_lines_publisher::~json_lines_publisher() = default;

publish_report json_lines_publisher::publish(std::span<delivery const> messages, time_point deadline) {
    publish_report report{.answers = std::vector<publish_answer>(messages.size())};
    auto const todo = render(messages, report.answers);
    std::size_t done = 0;
    if (m_stream != nullptr) {
        for (auto const& line : todo.lines) {
            if (std::chrono::steady_clock::now() >= deadline ||
                !m_stream->write(line.data(), std::ssize(line))) {
                break;
            }
            ++done;
        }
        if (!m_stream->flush()) {
            return {.unavailable = "the stream does not take any more"}; // how much it took is not known
        }
    } else {
        bool const durable = m_options.flush == json_lines_options::durability::each_batch;
        if (m_reopen.exchange(false) || !m_file->is_open()) {
            if (auto error = m_file->open(m_path, m_options.mode, durable); !error.empty()) {
                report.unavailable = std::move(error);
                return report;
            }
        }
        done = write_to(*m_file, todo.lines, deadline, report);
        if (auto error = durable ? m_file->sync() : std::string{}; !error.empty()) {
            // Asking again would not tell the truth: the kernel reports such a loss once. A new file descriptor, and
            // all of it again.
            m_file->close();
            return {.unavailable = std::move(error)};
        }
        if (report.unavailable) {
            m_file->close();
        }
    }
    for (std::size_t i = 0; i < done; ++i) {
        report.answers[todo.places[i]].result = publish_result::accepted;
    }
    return report;
}

} // namespace once
