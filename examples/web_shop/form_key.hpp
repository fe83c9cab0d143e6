// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/database.hpp>

#include "visitor.hpp"

#include <string>

namespace shop {

/// What the keys of forms are good for.
inline constexpr char const* form_purpose = "order-form";

/// A new key for one form that is shown to `who`: a one-time token. Only its hash is stored, it expires after a day,
/// and it is good for this visitor only. So a form of another site cannot order in the visitor's name: it has no such
/// key.
std::string issue_form_key(once::database& db, visitor who);

} // namespace shop
