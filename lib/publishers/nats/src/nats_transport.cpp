// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "nats_transport.hpp"

#include <once/error.hpp>

#include "acknowledgement.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace once::nats {

namespace {

bool is_visible(char c) noexcept {
    return c > 0x20 && c < 0x7f;
}

// Longer ones are refused by the server together with the connection: a line of its protocol has 4096 bytes.
constexpr std::size_t longest_subject = 1024;

void check_subject(std::string const& subject) {
    bool token_begins = true;
    for (char const c : subject) {
        if (!is_visible(c) || c == '*' || c == '>' || (c == '.' && token_begins)) {
            throw invalid_argument{"subject", "the template gives a name that is no subject of NATS"};
        }
        token_begins = c == '.';
    }
    if (token_begins || subject.size() > longest_subject) {
        throw invalid_argument{"subject", "the template gives a name that is no subject of NATS"};
    }
}

bool is_own_name(std::string_view name) {
    constexpr std::string_view commands = "nats-";
    return !(name.size() >= commands.size() &&
             std::ranges::equal(name.substr(0, commands.size()), commands, [](char a, char b) {
                 return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
             }));
}

// An empty value makes other headers unreadable to clients, and spaces at the ends are taken off by them.
bool can_be_carried(std::string const& value) {
    return !value.empty() && value.front() != ' ' && value.back() != ' ';
}

/// What a message needs in the protocol besides its payload.
class header_block {
public:
    explicit header_block(natsMsg* message) : m_message{message} {}

    void set(std::string const& name, std::string const& value) {
        if (natsMsgHeader_Add(m_message, name.c_str(), value.c_str()) != NATS_OK) {
            throw std::bad_alloc{};
        }
        constexpr std::size_t separators = 4;
        m_bytes += name.size() + value.size() + separators;
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return m_bytes; }

private:
    natsMsg* m_message;
    std::size_t m_bytes = std::string_view{"NATS/1.0\r\n\r\n"}.size();
};

void add_headers(header_block& to, detail::broker_message const& message, nats_options const& options) {
    for (std::size_t i = 0; i < message.headers.size(); ++i) {
        auto const& [name, value] = message.headers[i];
        if (i < message.set_here) {
            to.set(name, name == "content-type" ? value : detail::percent_encoded(value));
            continue;
        }
        if (!std::ranges::all_of(name, [](char c) { return is_visible(c) && c != ':'; }) || name.empty()) {
            throw invalid_argument{"headers",
                                   "NATS carries only header names of printable ASCII without space and :"};
        }
        if (is_own_name(name) && can_be_carried(value)) {
            to.set(name, value);
        }
    }
    if (options.deduplicate) {
        to.set("Nats-Msg-Id", message.source->id.to_string());
    }
    if (!options.stream.empty()) {
        to.set("Nats-Expected-Stream", options.stream);
    }
}

} // namespace

transport::transport(std::vector<std::string> urls, nats_options options)
    : m_urls{std::move(urls)}, m_options{std::move(options)} {}

std::optional<std::string> transport::open(time_point deadline) {
    m_under_way.clear();
    if (m_lost || (m_session && !m_session->connected())) {
        abandon();
    }
    m_lost.reset();
    if (!m_session) {
        std::string error;
        m_session = session::open(m_urls, m_options, deadline, error);
        if (!m_session) {
            return "NATS: " + error;
        }
    }
    static_cast<void>(m_session->take_error());
    m_reply_prefix = m_session->inbox() + '.' + std::to_string(++m_call) + '.';
    return {};
}

void transport::submit(detail::broker_message message) {
    check_subject(message.destination);
    auto const reply = m_reply_prefix + std::to_string(message.place);
    auto const& body = message.body();
    natsMsg* raw = nullptr;
    if (natsMsg_Create(&raw, message.destination.c_str(), reply.c_str(), body.data(),
                       static_cast<int>(body.size())) != NATS_OK) {
        throw std::bad_alloc{};
    }
    owned_message const made{raw};
    header_block block{raw};
    add_headers(block, message, m_options);
    auto const limit = m_session->max_payload();
    auto const size = block.bytes() + body.size();
    auto const too_large = [&] {
        throw invalid_argument{"payload", "with its headers it has " + std::to_string(size) +
                                              " bytes, and max_payload of the server is " +
                                              std::to_string(limit)};
    };
    if (limit > 0 && size > static_cast<std::uint64_t>(limit)) {
        too_large();
    }
    auto const status = m_session->publish(raw);
    if (status == NATS_MAX_PAYLOAD) {
        too_large();
    }
    m_under_way.emplace(message.place, std::move(message.destination));
    if (status != NATS_OK) {
        lose(natsStatus_GetText(status));
    }
}

std::vector<detail::broker_answer> transport::wait(time_point deadline) {
    std::vector<detail::broker_answer> made;
    while (made.empty() && !m_lost) {
        auto const heard = m_session->listen(deadline);
        for (auto const& message : heard.messages) {
            take(message.get(), made);
        }
        if (!heard.error.empty()) {
            refuse_unpermitted(heard.error, made);
        }
        if (heard.closed) {
            lose("it was closed");
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            break;
        }
    }
    return made;
}

void transport::take(natsMsg* message, std::vector<detail::broker_answer>& to) {
    std::string_view const subject{natsMsg_GetSubject(message)};
    if (!subject.starts_with(m_reply_prefix)) {
        return; // of an earlier call
    }
    std::size_t place = 0;
    auto const digits = subject.substr(m_reply_prefix.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), place);
    auto const found = m_under_way.find(place);
    if (found == m_under_way.end()) {
        return;
    }
    if (natsMsg_IsNoResponders(message)) {
        to.push_back(nobody_takes(place, found->second));
    } else {
        to.push_back(judge(
            place, {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))}));
    }
    m_under_way.erase(found);
}

// A message that may not be published gets no answer of its own; the server names its subject.
void transport::refuse_unpermitted(std::string const& said, std::vector<detail::broker_answer>& to) {
    for (auto one = m_under_way.begin(); one != m_under_way.end();) {
        if (said.find('"' + one->second + '"') == std::string::npos) {
            ++one;
            continue;
        }
        to.push_back({.place = one->first,
                      .answer = {.result = publish_result::retry,
                                 .error = "no right to publish to the subject " + one->second},
                      .about_all = true});
        one = m_under_way.erase(one);
    }
}

void transport::lose(std::string why) {
    m_lost = "NATS: the connection was lost: " + std::move(why);
}

void transport::abandon() noexcept {
    m_session.reset();
    m_under_way.clear();
}

} // namespace once::nats
