// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "orders.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace shop {

/// The form; `key` is in a hidden field of it.
std::string form_page(std::string const& key);

/// One order, and the others of the same visitor below it.
std::string order_page(order const& placed, std::vector<order> const& all);

/// Something did not work, and what to do about it.
std::string message_page(std::string_view title, std::string_view text);

/// The same with a button that sends the form again as it was: the same bytes, so that it is the same request.
std::string again_page(std::string_view title, std::string_view text, form_fields const& fields);

/// JavaScript of the form; the page works without it.
extern std::string_view const order_form_script;

} // namespace shop
