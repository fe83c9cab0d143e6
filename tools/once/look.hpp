// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "output.hpp"
#include "session.hpp"

#include <iosfwd>
#include <optional>
#include <stop_token>
#include <string>

namespace once::command {

/// `status`: one screen.
/// @return 1 when something needs a person: dead messages, a subscription that is not active, a slice without a reader
int status(session& db, format how, std::ostream& out);

/// `why`
/// @return 1 when there is a reason
int explain_stall(session& db, std::optional<std::string> const& subscription, format how, std::ostream& out);

/// `metrics`: all metrics once, in the text format of Prometheus, or as JSON.
int print_metrics(session& db, format how, std::ostream& out);

/// `metrics --listen`: serves them at http://ADDRESS/metrics until it is asked to stop.
/// @param address host:port, for example 127.0.0.1:9187; port 0 takes a free one, which is printed
int serve_metrics(target const& where, std::string const& address, std::stop_token stop, std::ostream& out);

} // namespace once::command
