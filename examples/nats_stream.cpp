// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "nats_stream.hpp"

#include <nats/nats.h>
#include <stdexcept>

namespace once::example {

namespace {

void must(natsStatus status, char const* what) {
    if (status != NATS_OK) {
        throw std::runtime_error{std::string{what} + ": " + natsStatus_GetText(status)};
    }
}

} // namespace

struct nats_stream::state {
    std::string name{};
    natsConnection* connection = nullptr;
    jsCtx* context = nullptr;

    ~state() {
        jsCtx_Destroy(context);
        natsConnection_Destroy(connection);
    }
};

nats_stream::nats_stream(std::string const& url, std::string const& name, std::string const& subjects)
    : m_state{std::make_unique<state>()} {
    m_state->name = name;
    must(natsConnection_ConnectTo(&m_state->connection, url.c_str()), "NATS cannot be reached");
    must(natsConnection_JetStream(&m_state->context, m_state->connection, nullptr), "JetStream");
    char const* list[] = {subjects.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = name.c_str();
    config.Subjects = list;
    config.SubjectsLen = 1;
    must(js_AddStream(nullptr, m_state->context, &config, nullptr, nullptr), "the stream cannot be made");
}

nats_stream::~nats_stream() {
    js_DeleteStream(m_state->context, m_state->name.c_str(), nullptr, nullptr);
}

std::uint64_t nats_stream::count() const {
    jsStreamInfo* info = nullptr;
    must(js_GetStreamInfo(&info, m_state->context, m_state->name.c_str(), nullptr, nullptr),
         "the stream is not there");
    auto const messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
}

} // namespace once::example
