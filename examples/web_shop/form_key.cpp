// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "form_key.hpp"

#include <once/token.hpp>

namespace shop {

std::string issue_form_key(once::database& db, visitor who) {
    return once::issue_token(
        db, {.principal = who.principal(), .purpose = form_purpose, .lifetime = std::chrono::hours{24}});
}

} // namespace shop
