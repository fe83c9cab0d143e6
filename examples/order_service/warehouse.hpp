// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include <string>

/** @file
 * The warehouse: it gets messages over HTTP, more than once now and then. A web framework would call `receive`.
 */
namespace warehouse {

struct webhook {
    /// From the header Idempotency-Key, without the quotes: the id of the message.
    std::string id;
    /// The header Once-Topic.
    std::string topic;
    /// JSON.
    std::string body;
};

/// Does the job that a message asks for, unless it was done before.
/// @param answer what the sender will be told, for the log
/// @return whether the sender may be told that it is done: 204, else 503
bool receive(once::database& db, webhook const& message, std::string const& answer);

} // namespace warehouse
