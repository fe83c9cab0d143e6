// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <string>
#include <vector>

namespace once::command {

/// What a file holds that others must not read, without its last line break.
/// @param option which option named it, for errors; they never show what is in it
/// @throws std::invalid_argument when it cannot be read, is empty, or everybody on the machine may read it
[[nodiscard]] std::string read_secret_file(std::string const& option, std::string const& path);

/// What a file holds that is no secret, without its last line break.
/// @throws std::invalid_argument when it cannot be read, or is empty
[[nodiscard]] std::string read_text_file(std::string const& option, std::string const& path);

/// The lines of a text that are not empty, without spaces around them. Lines that begin with # are left out.
[[nodiscard]] std::vector<std::string> lines_of(std::string const& text);

/// @throws std::invalid_argument when a secret stands on the command line, without showing it
void refuse_secrets(int argc, char const* const* argv);

} // namespace once::command
