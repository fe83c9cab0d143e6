// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "nats_session.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace once::nats {

namespace {

using std::chrono::milliseconds;

struct destroy_options {
    void operator()(natsOptions* options) const noexcept { natsOptions_Destroy(options); }
};
using owned_options = std::unique_ptr<natsOptions, destroy_options>;

// The client's threads may call back after connection and subscription have been destroyed here. Each of the two gives
// up what is its own in the last call that it makes.
using closure = std::shared_ptr<news>;

void on_error(natsConnection* connection, natsSubscription* /*subscription*/, natsStatus status, void* mine) {
    auto const& heard = *static_cast<closure*>(mine);
    char const* text = nullptr;
    natsConnection_GetLastError(connection, &text);
    std::lock_guard const lock{heard->mutex};
    heard->error = text != nullptr && *text != '\0' ? text : natsStatus_GetText(status);
    heard->changed.notify_one();
}

void on_closed(natsConnection* /*connection*/, void* mine) {
    std::unique_ptr<closure> const owner{static_cast<closure*>(mine)};
    std::lock_guard const lock{(*owner)->mutex};
    (*owner)->closed = true;
    (*owner)->changed.notify_one();
}

void on_message(natsConnection* /*connection*/, natsSubscription* /*subscription*/, natsMsg* message,
                void* mine) {
    auto const& heard = *static_cast<closure*>(mine);
    owned_message owned{message};
    std::lock_guard const lock{heard->mutex};
    heard->messages.push_back(std::move(owned));
    heard->changed.notify_one();
}

void on_unsubscribed(void* mine) {
    delete static_cast<closure*>(mine);
}

// Of the client's words none is shown that could hold an address with a password in it.
std::string why_not_connected(natsStatus status) {
    switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
        return "the server refused user and password, token or credentials";
    case NATS_SSL_ERROR:
        return "no TLS connection: the certificate is not trusted, or another one is wanted";
    case NATS_SECURE_CONNECTION_REQUIRED:
        return "the server wants TLS, and this publisher is not set to it";
    case NATS_SECURE_CONNECTION_WANTED:
        return "TLS is asked for, and the server does not have it";
    case NATS_NO_SERVER:
    case NATS_TIMEOUT:
    case NATS_IO_ERROR:
        return "no server can be reached";
    default:
        return std::string{"no connection: "} + natsStatus_GetText(status);
    }
}

constexpr std::int64_t ping_every = 2'000;
constexpr std::int64_t write_deadline = 2'000;

natsStatus set_security(natsOptions* to, nats_options const& options) {
    auto status = NATS_OK;
    auto const then = [&](bool wanted, auto const& set) {
        if (status == NATS_OK && wanted) {
            status = set();
        }
    };
    then(!options.user.empty(),
         [&] { return natsOptions_SetUserInfo(to, options.user.c_str(), options.password.c_str()); });
    then(!options.token.empty(), [&] { return natsOptions_SetToken(to, options.token.c_str()); });
    then(!options.credentials_file.empty(), [&] {
        return natsOptions_SetUserCredentialsFromFiles(to, options.credentials_file.c_str(), nullptr);
    });
    then(options.tls || !options.ca_file.empty() || !options.certificate_file.empty(),
         [&] { return natsOptions_SetSecure(to, true); });
    then(!options.ca_file.empty(),
         [&] { return natsOptions_LoadCATrustedCertificates(to, options.ca_file.c_str()); });
    then(!options.certificate_file.empty(), [&] {
        return natsOptions_LoadCertificatesChain(to, options.certificate_file.c_str(),
                                                 options.key_file.c_str());
    });
    return status;
}

natsStatus set_all(natsOptions* to, std::vector<std::string> const& urls, nats_options const& options,
                   time_point deadline) {
    std::vector<char const*> servers;
    for (auto const& url : urls) {
        servers.push_back(url.c_str());
    }
    // Servers are tried one after the other.
    auto const each = std::min<std::int64_t>(options.connect_timeout.count(),
                                             milliseconds_until(deadline) / static_cast<int>(servers.size()));
    for (auto const status :
         {natsOptions_SetServers(to, servers.data(), static_cast<int>(servers.size())),
          natsOptions_SetTimeout(to, std::max<std::int64_t>(each, 1)), natsOptions_SetName(to, "once"),
          natsOptions_SetAllowReconnect(to, false), natsOptions_SetSendAsap(to, true),
          natsOptions_SetPingInterval(to, ping_every), natsOptions_SetMaxPingsOut(to, 2),
          natsOptions_SetWriteDeadline(to, write_deadline), set_security(to, options)}) {
        if (status != NATS_OK) {
            return status;
        }
    }
    return NATS_OK;
}

struct destroy_context {
    void operator()(jsCtx* context) const noexcept { jsCtx_Destroy(context); }
};
struct destroy_stream {
    void operator()(jsStreamInfo* info) const noexcept { jsStreamInfo_Destroy(info); }
};

} // namespace

std::int64_t milliseconds_until(time_point when) {
    auto const left = std::chrono::duration_cast<milliseconds>(when - std::chrono::steady_clock::now());
    return std::max<std::int64_t>(left.count(), 1);
}

std::unique_ptr<session> session::open(std::vector<std::string> const& urls, nats_options const& options,
                                       time_point deadline, std::string& error) {
    natsOptions* raw = nullptr;
    if (natsOptions_Create(&raw) != NATS_OK) {
        throw std::bad_alloc{};
    }
    owned_options const settings{raw};
    if (auto const status = set_all(raw, urls, options, deadline); status != NATS_OK) {
        error = status == NATS_SSL_ERROR ? "a file of certificates or keys cannot be used"
                                         : std::string{"a setting is refused: "} + natsStatus_GetText(status);
        return nullptr;
    }
    std::unique_ptr<session> made{new session};
    auto heard = std::make_unique<closure>(made->m_news);
    natsOptions_SetErrorHandler(raw, &on_error, heard.get());
    natsOptions_SetClosedCB(raw, &on_closed, heard.get());
    if (auto const status = natsConnection_Connect(&made->m_connection, raw); status != NATS_OK) {
        error = why_not_connected(status);
        return nullptr;
    }
    static_cast<void>(heard.release()); // on_closed() owns it
    error = made->prepare(options, deadline);
    return error.empty() ? std::move(made) : nullptr;
}

session::~session() {
    natsSubscription_Destroy(m_answers);
    natsConnection_Destroy(m_connection);
}

std::string session::prepare(nats_options const& options, time_point deadline) {
    natsInbox* inbox = nullptr;
    if (natsInbox_Create(&inbox) != NATS_OK) {
        throw std::bad_alloc{};
    }
    m_inbox = inbox;
    natsInbox_Destroy(inbox);
    auto mine = std::make_unique<closure>(m_news);
    auto status =
        natsConnection_Subscribe(&m_answers, m_connection, (m_inbox + ".>").c_str(), &on_message, mine.get());
    if (status == NATS_OK) {
        status = natsSubscription_SetOnCompleteCB(m_answers, &on_unsubscribed, mine.get());
        static_cast<void>(
            mine.release()); // should that fail, a few bytes are lost rather than used after their end
    }
    if (status == NATS_OK) {
        status = natsSubscription_SetPendingLimits(m_answers, -1, -1);
    }
    if (status != NATS_OK) {
        return std::string{"acknowledgements cannot be subscribed to: "} + natsStatus_GetText(status);
    }
    return options.stream.empty() ? "" : check_stream(options, deadline);
}

std::string session::check_stream(nats_options const& options, time_point deadline) {
    jsCtx* raw_context = nullptr;
    if (natsConnection_JetStream(&raw_context, m_connection, nullptr) != NATS_OK) {
        throw std::bad_alloc{};
    }
    std::unique_ptr<jsCtx, destroy_context> const context{raw_context};
    jsOptions wait;
    jsOptions_Init(&wait);
    wait.Wait = std::min<std::int64_t>(options.connect_timeout.count(), milliseconds_until(deadline));
    jsStreamInfo* raw_info = nullptr;
    jsErrCode code{};
    auto const status = js_GetStreamInfo(&raw_info, raw_context, options.stream.c_str(), &wait, &code);
    std::unique_ptr<jsStreamInfo, destroy_stream> const info{raw_info};
    constexpr int no_such_stream = 10059;
    if (status == NATS_NOT_FOUND || static_cast<int>(code) == no_such_stream) {
        return "there is no stream " + options.stream;
    }
    if (auto const said = take_error(); !said.empty() && status != NATS_OK) {
        return "stream " + options.stream + " cannot be looked at: " + said;
    }
    if (status != NATS_OK) {
        return "stream " + options.stream + " cannot be looked at: " + natsStatus_GetText(status);
    }
    if (options.log) {
        auto const& config = *info->Config;
        if (config.Storage == js_MemoryStorage) {
            options.log("stream " + options.stream +
                        " is in memory: what counts as accepted is gone when its servers end");
        } else if (config.Replicas < 2) {
            options.log(
                "stream " + options.stream +
                " has one replica: unless its server has sync_interval: always, what counts as accepted "
                "may be lost when the machine fails");
        }
    }
    return "";
}

bool session::connected() const {
    return natsConnection_Status(m_connection) == NATS_CONN_STATUS_CONNECTED;
}

std::int64_t session::max_payload() const {
    return natsConnection_GetMaxPayload(m_connection);
}

natsStatus session::publish(natsMsg* message) {
    return natsConnection_PublishMsg(m_connection, message);
}

session::heard session::listen(time_point deadline) {
    heard made;
    std::unique_lock lock{m_news->mutex};
    m_news->changed.wait_until(lock, deadline, [&] {
        return !m_news->messages.empty() || !m_news->error.empty() || m_news->closed;
    });
    made.messages.swap(m_news->messages);
    made.error.swap(m_news->error);
    made.closed = m_news->closed;
    return made;
}

std::string session::take_error() {
    std::lock_guard const lock{m_news->mutex};
    return std::exchange(m_news->error, {});
}

} // namespace once::nats
