// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the call of once::idempotent_remote takes (once::running_operation&)
#include <once/once.hpp>

once::phase const charge = once::idempotent_remote("charge", [](once::transaction&) {});
