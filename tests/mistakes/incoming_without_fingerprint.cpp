// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// says: a request needs its fingerprint
#include <once/once.hpp>

once::receipt take(once::inbox const& inbox, once::transaction& tx, once::message_id const& id) {
    return inbox.receive(tx, {.id = id});
}
