// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "relay/settings.hpp"
#include "session.hpp"

#include <iosfwd>
#include <stop_token>

namespace once::command {

/// `relay`: hands the messages of a subscription to a publisher until it is asked to stop.
/**
 * Fails at once for what no waiting can fix: a wrong setting, no such subscription, a schema that does not fit, a
 * database that cannot be reached at the start. Later it waits for a database or a receiver that is away.
 * A stop finishes the call of the publisher under way, acknowledges what was accepted, and gives the slices back.
 * @param out gets JSON lines, where they go to standard output; @param err gets the log
 * @return the exit status: 1 with until_idle when something was not accepted
 */
int relay(target const& where, relay_settings const& settings, std::stop_token const& stop, std::ostream& out,
          std::ostream& err);

} // namespace once::command
