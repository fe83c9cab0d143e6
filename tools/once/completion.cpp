// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "completion.hpp"

#include <vector>

namespace once::command {

namespace {

std::string words_of(CLI::App const& app) {
    std::string words = app.get_parent() == nullptr ? "help " : "";
    for (auto const* const sub : app.get_subcommands([](CLI::App const*) { return true; })) {
        words += sub->get_name() + ' ';
    }
    for (auto const* at = &app; at != nullptr; at = at->get_parent()) {
        for (auto const* const option : at->get_options()) {
            for (auto const& name : option->get_lnames()) {
                words += "--" + name + ' ';
            }
        }
    }
    return words;
}

// One line of the case for each subcommand: the words before the cursor, without options, select it.
void add_cases(CLI::App const& app, std::string const& path, std::string& text) {
    text += "    '" + path + "') words='" + words_of(app) + "' ;;\n";
    for (auto const* const sub : app.get_subcommands([](CLI::App const*) { return true; })) {
        add_cases(*sub, path.empty() ? sub->get_name() : path + ' ' + sub->get_name(), text);
    }
}

} // namespace

std::string bash_completion(CLI::App const& app) {
    std::string text = "_once() {\n"
                       "    local path='' word words=''\n"
                       "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                       "        [[ $word == -* ]] || path=${path:+$path }$word\n"
                       "    done\n"
                       "    case $path in\n";
    add_cases(app, "", text);
    return text + "    esac\n"
                  "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
                  "}\n"
                  "complete -F _once once\n";
}

} // namespace once::command
