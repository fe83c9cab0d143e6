// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace booking {

/// A payment provider: a real HTTP server on 127.0.0.1 with idempotency of its own.
/**
 * `POST /charges` with an `Idempotency-Key` takes the money once per key and answers every repeat alike. It keeps the
 * money in memory, which is outside of any database.
 *
 * It is a fake one, so a client may ask for trouble with the header `X-Fault`. kill-before: it kills the client, then
 * charges. kill-after: it charges, then kills the client. lose-reply: it charges and breaks the connection instead of
 * answering; a repeat is answered.
 */
class provider {
public:
    provider();
    ~provider();
    provider(provider const&) = delete;
    provider& operator=(provider const&) = delete;

    [[nodiscard]] int port() const noexcept { return m_port; }

    /// What has been taken so far: customer -> number of charges.
    [[nodiscard]] std::map<std::string, int> charges() const;
    /// How many requests came, repeats included.
    [[nodiscard]] int requests() const;

private:
    struct server;
    std::unique_ptr<server> m_server;
    int m_port = 0;
};

} // namespace booking
