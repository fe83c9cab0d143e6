// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "transfers.hpp"

#include <once/version.hpp>

#include "address_rules.hpp"

#include <algorithm>
#include <stdexcept>
#include <sys/socket.h>
#include <tuple>

namespace once::webhook {

// Not in the namespace without a name: transfers::transfer, which the header declares, is made of it.
struct free_list {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, free_list>;

namespace {

void initialise_libcurl() {
    static CURLcode const code =
        curl_global_init(CURL_GLOBAL_DEFAULT); // safe to race since the language's own lock
    if (code != CURLE_OK) {
        throw std::runtime_error{"once: libcurl cannot be initialised"};
    }
}

void append(header_list& to, std::string const& line) {
    curl_slist* const longer = curl_slist_append(to.get(), line.c_str());
    if (longer == nullptr) {
        throw std::bad_alloc{};
    }
    std::ignore = to.release(); // longer begins with it
    to.reset(longer);
}

long milliseconds_until(time_point deadline) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<long>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 3'600'000));
}

} // namespace

struct transfers::transfer {
    transfer() : easy{curl_easy_init()} {
        if (easy == nullptr) {
            throw std::bad_alloc{};
        }
    }
    ~transfer() { curl_easy_cleanup(easy); }
    transfer(transfer const&) = delete;
    transfer(transfer&&) = delete;
    transfer& operator=(transfer const&) = delete;
    transfer& operator=(transfer&&) = delete;

    static std::size_t take_answer(char*, std::size_t size, std::size_t count, void* self) {
        auto& me = *static_cast<transfer*>(self);
        me.answer_bytes += size * count;
        return me.answer_bytes > me.most_answer_bytes ? 0 : size * count;
    }
    static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
        auto& me = *static_cast<transfer*>(self);
        if (!is_public_address(address->addr)) {
            me.address_refused = true;
            return CURL_SOCKET_BAD;
        }
        return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    }

    CURL* easy;
    bool running = false;
    std::size_t place = 0;
    webhook::request request{};
    header_list headers{};
    std::size_t answer_bytes = 0;
    std::size_t most_answer_bytes = 0;
    bool address_refused = false;
};

transfers::transfers(std::string url, webhook_options const& options)
    : m_url{std::move(url)}, m_options{options}, m_multi{(initialise_libcurl(), curl_multi_init())} {
    if (m_multi == nullptr) {
        throw std::bad_alloc{};
    }
    auto const parallel = static_cast<long>(options.parallel);
    curl_multi_setopt(m_multi, CURLMOPT_MAXCONNECTS, parallel);
    curl_multi_setopt(m_multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, parallel);
}

transfers::~transfers() {
    static_cast<void>(abandon());
    m_transfers.clear();
    curl_multi_cleanup(m_multi);
}

transfers::transfer& transfers::free_transfer() {
    auto const found = std::ranges::find_if(m_transfers, [](auto const& one) { return !one->running; });
    return found != m_transfers.end() ? **found : *m_transfers.emplace_back(std::make_unique<transfer>());
}

void transfers::configure(transfer& one, time_point deadline) {
    CURL* const easy = one.easy;
    curl_easy_reset(easy);
    auto const& options = m_options;
    curl_easy_setopt(easy, CURLOPT_URL, m_url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
    curl_easy_setopt(easy, CURLOPT_USERAGENT, (std::string{"once/"} + version_text).c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     std::max(1L, std::min(static_cast<long>(options.request_timeout.count()),
                                           milliseconds_until(deadline))));
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(one.request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, one.request.body.data()); // not copied
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, one.headers.get());
    curl_easy_setopt(easy, CURLOPT_HEADEROPT,
                     static_cast<long>(CURLHEADER_SEPARATE)); // none of them to a proxy
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &transfer::take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &one);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &one);
    if (options.public_addresses_only) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &transfer::open_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &one);
    }
    if (!options.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    }
}

void transfers::start(std::size_t place, request request, time_point deadline) {
    auto& one = free_transfer();
    one.place = place;
    one.request = std::move(request);
    one.answer_bytes = 0;
    one.most_answer_bytes = m_options.max_answer_bytes;
    one.address_refused = false;
    one.headers.reset();
    for (auto const& header : one.request.headers) {
        append(one.headers, header_line(header));
    }
    append(one.headers, "Expect:"); // do not ask for leave to send a large body
    configure(one, deadline);
    if (curl_multi_add_handle(m_multi, one.easy) != CURLM_OK) {
        throw std::runtime_error{"once: libcurl does not take a request"};
    }
    one.running = true;
    ++m_running;
}

ending transfers::how_it_ended(transfer& one, CURLcode code) const {
    long status = 0;
    long sent = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(one.easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(one.easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(one.easy, CURLINFO_RETRY_AFTER, &retry_after);
    constexpr curl_off_t a_week = 7L * 24 * 3600;
    ending made{.status = static_cast<int>(status),
                .retry_after = std::chrono::seconds{std::clamp<curl_off_t>(retry_after, 0, a_week)}};
    bool const had_enough = code == CURLE_WRITE_ERROR && one.answer_bytes > m_options.max_answer_bytes;
    if ((code == CURLE_OK || had_enough) && status >= 200) {
        made.how = ending::kind::answered;
        return made;
    }
    // When a kept connection turns out to have ended, libcurl tries a new one by itself; what went into the first
    // counts as sent. Nobody behind the new one is a receiver that is away. One that dies of a message does so again
    // without a kept connection, and then it is lost.
    bool const nobody_there = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                              code == CURLE_COULDNT_RESOLVE_PROXY;
    made.how = nobody_there || sent == 0 ? ending::kind::no_connection : ending::kind::lost;
    made.why = one.address_refused ? "the address is not a public one" : curl_easy_strerror(code);
    return made;
}

std::vector<transfers::finished> transfers::wait(time_point deadline) {
    std::vector<finished> made;
    while (made.empty() && m_running > 0 && std::chrono::steady_clock::now() < deadline) {
        int still_running = 0;
        if (curl_multi_perform(m_multi, &still_running) != CURLM_OK) {
            throw std::runtime_error{"once: libcurl cannot go on"};
        }
        int left = 0;
        while (CURLMsg const* const message = curl_multi_info_read(m_multi, &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            void* found = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &found);
            auto& one = *static_cast<transfer*>(found);
            auto const code = message->data.result;
            made.push_back({one.place, how_it_ended(one, code)});
            curl_multi_remove_handle(m_multi, one.easy);
            one.running = false;
            --m_running;
        }
        if (made.empty()) {
            constexpr long longest_nap = 1000;
            curl_multi_poll(m_multi, nullptr, 0,
                            static_cast<int>(std::min(longest_nap, milliseconds_until(deadline))), nullptr);
        }
    }
    return made;
}

std::vector<std::size_t> transfers::abandon() noexcept {
    std::vector<std::size_t> places;
    for (auto const& one : m_transfers) {
        if (one->running) {
            places.push_back(one->place);
            curl_multi_remove_handle(m_multi, one->easy);
            one->running = false;
        }
    }
    m_running = 0;
    return places;
}

} // namespace once::webhook
