// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace once::example {

/// A stream of JetStream that is there as long as this object.
class nats_stream {
public:
    nats_stream(std::string const& url, std::string const& name, std::string const& subjects);
    ~nats_stream();
    nats_stream(nats_stream const&) = delete;
    nats_stream& operator=(nats_stream const&) = delete;

    /// How many messages it holds.
    [[nodiscard]] std::uint64_t count() const;

private:
    struct state;
    std::unique_ptr<state> m_state;
};

} // namespace once::example
