// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: inbox_options.retention
// says: a time needs its unit
#include <once/once.hpp>

once::inbox const inbox{"billing", {.retention = 3600}};
