// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "far_end.hpp"

#include "support/wait_until.hpp"

#include <memory>
#include <stdexcept>

namespace once::testing {

namespace {

void must(natsStatus status, char const* what) {
    if (status != NATS_OK) {
        throw std::runtime_error{std::string{what} + ": " + natsStatus_GetText(status)};
    }
}

nats_record record_of(natsMsg* message) {
    nats_record made{
        .subject = natsMsg_GetSubject(message),
        .body = {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))}};
    char const** names = nullptr;
    int count = 0;
    if (natsMsgHeader_Keys(message, &names, &count) == NATS_OK) {
        for (int i = 0; i < count; ++i) {
            char const** values = nullptr;
            int found = 0;
            must(natsMsgHeader_Values(message, names[i], &values, &found), names[i]);
            for (int k = 0; k < found; ++k) {
                made.headers.emplace(names[i], values[k]);
            }
            free(static_cast<void*>(values)); // NOLINT(cppcoreguidelines-no-malloc) as the library says
        }
        free(static_cast<void*>(names)); // NOLINT(cppcoreguidelines-no-malloc)
    }
    return made;
}

} // namespace

nats_stream::nats_stream(broker_server const& server) : nats_stream{server, settings{}} {}

nats_stream::nats_stream(broker_server const& server, settings const& how)
    : m_url{how.tls ? server.variable("_TLS") : server.url()},
      m_ca_file{how.tls ? server.ca_file() : ""},
      m_name{unique_name("test")} {
    connect();
    auto const subjects = how.subject.empty() ? m_name + ".>" : how.subject;
    char const* const list[] = {subjects.c_str()};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = m_name.c_str();
    config.Subjects = const_cast<char const**>(list);
    config.SubjectsLen = 1;
    config.Storage = how.in_memory ? js_MemoryStorage : js_FileStorage;
    config.MaxMsgSize = how.max_message_bytes;
    config.MaxMsgs = how.max_messages;
    config.Discard = js_DiscardNew;
    must(js_AddStream(nullptr, m_context, &config, nullptr, nullptr), "js_AddStream");
}

nats_stream::~nats_stream() {
    js_DeleteStream(m_context, m_name.c_str(), nullptr, nullptr);
    disconnect();
}

natsStatus nats_stream::open(natsConnection** to) const {
    natsOptions* options = nullptr;
    must(natsOptions_Create(&options), "natsOptions_Create");
    natsOptions_SetURL(options, m_url.c_str());
    if (!m_ca_file.empty()) {
        natsOptions_SetSecure(options, true);
        natsOptions_LoadCATrustedCertificates(options, m_ca_file.c_str());
    }
    auto const status = natsConnection_Connect(to, options);
    natsOptions_Destroy(options);
    return status;
}

void nats_stream::connect() {
    must(open(&m_connection), "connect");
    must(natsConnection_JetStream(&m_context, m_connection, nullptr), "JetStream");
}

void nats_stream::disconnect() {
    jsCtx_Destroy(m_context);
    natsConnection_Destroy(m_connection);
    m_context = nullptr;
    m_connection = nullptr;
}

void nats_stream::purge() {
    must(js_PurgeStream(m_context, m_name.c_str(), nullptr, nullptr), "js_PurgeStream");
}

std::size_t nats_stream::count() {
    jsStreamInfo* info = nullptr;
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = 500;
    if (js_GetStreamInfo(&info, m_context, m_name.c_str(), &options, nullptr) != NATS_OK) {
        return 0;
    }
    auto const messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
}

std::vector<nats_record> const& nats_stream::records() {
    // The server may have been away meanwhile, or may still be.
    jsStreamInfo* info = nullptr;
    static_cast<void>(wait_until([&] {
        if (js_GetStreamInfo(&info, m_context, m_name.c_str(), nullptr, nullptr) == NATS_OK) {
            return true;
        }
        if (natsConnection_Status(m_connection) != NATS_CONN_STATUS_CONNECTED) {
            natsConnection* fresh = nullptr;
            if (open(&fresh) != NATS_OK) {
                return true;
            }
            natsConnection_Destroy(fresh);
        }
        return false;
    }));
    if (info != nullptr) {
        auto const last = info->State.LastSeq;
        jsStreamInfo_Destroy(info);
        if (last >= m_next) {
            read(last);
        }
    }
    return m_records;
}

// One by one: the ordered consumer of cnats 3.4.1 corrupts memory when its stream grows and its server is killed.
void nats_stream::read(std::uint64_t last) {
    for (; m_next <= last; ++m_next) {
        natsMsg* message = nullptr;
        jsErrCode code{};
        auto const status = js_GetMsg(&message, m_context, m_name.c_str(), m_next, nullptr, &code);
        if (status == NATS_OK) {
            m_records.push_back(record_of(message));
            natsMsg_Destroy(message);
        } else if (status != NATS_NOT_FOUND && code != JSNoMessageFoundErr) {
            return; // the server is away
        } // else it was purged
    }
}

nats_responder::nats_responder(broker_server const& server, std::string const& subject, std::string text)
    : m_text{std::move(text)} {
    must(natsConnection_ConnectTo(&m_connection, server.url().c_str()), "connect");
    auto const answer = [](natsConnection* connection, natsSubscription*, natsMsg* message, void* closure) {
        auto const& said = *static_cast<std::string*>(closure);
        natsConnection_PublishString(connection, natsMsg_GetReply(message), said.c_str());
        natsMsg_Destroy(message);
    };
    must(natsConnection_Subscribe(&m_subscription, m_connection, subject.c_str(), answer, &m_text),
         "subscribe");
    must(natsConnection_Flush(m_connection), "flush");
}

nats_responder::~nats_responder() {
    natsSubscription_Drain(m_subscription);
    natsSubscription_WaitForDrainCompletion(m_subscription, 1'000);
    natsSubscription_Destroy(m_subscription);
    natsConnection_Destroy(m_connection);
}

} // namespace once::testing
