// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <array>
#include <string_view>

namespace once::detail {

/// The files in migrations/ that this version of the library needs, in order; a test compares them with the folder.
inline constexpr std::array<std::string_view, 17> migration_files{
    "0001_schema_version.up.sql",  "0002_service.up.sql",        "0003_idempotency_record.up.sql",
    "0004_enforce_version.up.sql", "0005_lease.up.sql",          "0006_outbox.up.sql",
    "0007_subscription.up.sql",    "0008_parked_message.up.sql", "0009_scheduled_message.up.sql",
    "0010_outbox_upkeep.up.sql",   "0011_token.up.sql",          "0012_inbox.up.sql",
    "0013_operation.up.sql",       "0014_request_window.up.sql", "0015_outbox_views.up.sql",
    "0016_metrics.up.sql",         "0017_roles.up.sql",
};

} // namespace once::detail
