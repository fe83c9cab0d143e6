// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>
#include <once/transaction.hpp>

#include "visitor.hpp"

#include <string>

namespace shop {

// The keys of forms, in these two functions and nowhere else. One-time tokens can take their place: they would
// expire, and be stored as a hash.

/// A new key for one form that is shown to `who`: random, and remembered as this visitor's.
std::string issue_form_key(once::database& db, visitor who);

/// Whether `key` was issued to `who`. So a form of another site cannot order in the visitor's name: it has no such key.
bool is_form_key_of(once::transaction& tx, std::string const& key, visitor who);

} // namespace shop
