// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: the work of once::in_database takes (once::transaction&, once::running_operation&)
#include <once/once.hpp>

once::phase const confirm = once::in_database(
    "confirm", [](once::running_operation&, once::transaction&) { return once::response{.status = 201}; });
