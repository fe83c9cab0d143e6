// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <string_view>

/** @file
 * Shows that the checks at the end can fail: `--break WHAT` makes one of the processes do it wrong on purpose.
 */
namespace demo {

/// Remembers what to do wrong, for this process and for those that it starts; several words with commas between them.
/// @throws std::invalid_argument for a word that is not known
void sabotage(std::string const& what);

/// Whether this is what to do wrong:
/**
 * - key: a customer who sends an order again takes a new key
 * - twice: billing posts twice what it gets
 * - repeat: the warehouse does a job again when the message comes again
 * - loss: the relay says of some messages that they were accepted, and sends nothing
 * - order: the relay hands out its batches backwards
 */
[[nodiscard]] bool sabotaged(std::string_view what);

} // namespace demo
