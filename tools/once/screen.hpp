// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "failure.hpp"

#include <iosfwd>
#include <stop_token>
#include <string>
#include <string_view>

namespace once::command {

/// What a stream leads to, which decides how things are said there. The default is a file, a pipe, a test.
struct screen {
    /// A person reads along: times are relative, tables fit.
    bool terminal = false;
    bool colour = false;
    /// Columns; 0: any number.
    int columns = 0;
    /// A stop is requested when nobody can read any more what is written.
    std::stop_token reader_gone{};
};

/// What a descriptor leads to: a terminal, its width, and whether it is to have colours (NO_COLOR, TERM).
[[nodiscard]] screen look_at(int descriptor);

/// Tells the functions that print to `stream` what it leads to. `where` outlives the stream's use.
void set_screen(std::ostream& stream, screen const& where);

/// What the stream leads to.
[[nodiscard]] screen const& screen_of(std::ostream& stream);

/// Colours of a terminal.
enum class ink { plain, strong, faint, bad, doubtful };

/// The text in this colour, where the stream is to have colours. `text` is printable.
[[nodiscard]] std::string painted(std::ostream& stream, ink colour, std::string text);

/// What is printed as it is, also to a terminal: a payload, a line for machines. A terminal gets it printable.
void print_raw(std::ostream& stream, std::string_view bytes);

/// What a command ends with whose output is not taken any more.
[[nodiscard]] failure output_lost(std::ostream& stream);

/// Makes sure that what was written has gone out.
/// @throws failure see output_lost
void check_output(std::ostream& stream);

} // namespace once::command
