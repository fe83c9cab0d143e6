// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace once::command {

/// Help in 80 columns, the same with every release of CLI11: usage, arguments, commands, options by group, examples.
class plain_help final : public CLI::Formatter {
public:
    [[nodiscard]] std::string make_help(CLI::App const* app, std::string name,
                                        CLI::AppFormatMode mode) const override;
};

/// Text in lines of at most `columns`, each after the first indented. Pure.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns = 80);

/// The word of `known` that was probably meant; nothing when none is near. Pure.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::vector<std::string> const& known);

/// What is wrong with the words of a command line before anything of it is read: a command or an option that is not
/// there, or no command where one is needed.
/// @return a sentence with a suggestion; nothing when there is nothing to say
[[nodiscard]] std::optional<std::string> explain_words(CLI::App const& app,
                                                       std::vector<std::string> const& words);

/// The commands of `app` as one calls them: once parked list
[[nodiscard]] std::string path_of(CLI::App const& app);

} // namespace once::command
