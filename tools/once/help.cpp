// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "help.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>

namespace once::command {

namespace {

constexpr std::size_t left = 24;

std::vector<CLI::App const*> commands_of(CLI::App const& app) {
    return app.get_subcommands([](CLI::App const*) { return true; });
}

// What stands for a value: the first part of the type, which CLI11 follows by what the value is checked for.
std::pair<std::string, std::string> type_of(CLI::Option const& option) {
    auto const type = option.get_type_name();
    auto const colon = type.find(':');
    auto const name = type.substr(0, colon);
    auto const check = colon == std::string::npos ? std::string{} : type.substr(colon + 1);
    bool const worth_telling = check.starts_with('{') || check.find(" in [") != std::string::npos;
    return {name, worth_telling ? check : std::string{}};
}

bool takes_value(CLI::Option const& option) {
    return option.get_items_expected_max() > 0;
}

std::string names_of(CLI::Option const& option) {
    std::string made;
    for (auto const& name : option.get_snames()) {
        made += (made.empty() ? "-" : ", -") + name;
    }
    for (auto const& name : option.get_lnames()) {
        made += (made.empty() ? "--" : ", --") + name;
    }
    return takes_value(option) ? made + " " + type_of(option).first : made;
}

// {a,b,c} and INT in [1 - 9] for people.
std::string told(std::string const& check) {
    std::string made;
    bool const choice = check.front() == '{';
    auto const text = choice ? check.substr(1, check.find('}') - 1) : check.substr(check.find('[') + 1);
    for (char const c : text) {
        made += choice && c == ','    ? std::string{", "}
                : !choice && c == '-' ? std::string{"to"}
                                      : std::string{c};
    }
    return choice ? ": " + made : " (" + made.substr(0, made.find(']')) + ")";
}

std::string about(CLI::Option const& option) {
    auto text = option.get_description();
    if (auto const check = type_of(option).second; takes_value(option) && !check.empty()) {
        text += told(check);
    }
    auto const& usual = option.get_default_str();
    if (takes_value(option) && !usual.empty() && text.find("(default") == std::string::npos) {
        text += " (default: " + usual + ")";
    }
    return option.get_required() ? text + " (required)" : text;
}

std::string line(std::string const& what, std::string const& text) {
    auto const begin = "  " + what;
    if (begin.size() + 2 > left) {
        return begin + '\n' + std::string(left, ' ') + wrapped(text, left) + '\n';
    }
    return begin + std::string(left - begin.size(), ' ') + wrapped(text, left) + '\n';
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
}

std::string argument_name(CLI::Option const& option) {
    auto const name = upper(option.get_single_name());
    auto const many = option.get_items_expected_max() > 1 ? "..." : "";
    return (option.get_required() ? name : "[" + name + "]") + many;
}

std::string usage_of(CLI::App const& app) {
    auto text = path_of(app);
    for (auto const* const option : app.get_options()) {
        if (option->get_positional()) {
            text += " " + argument_name(*option);
        } else if (option->get_required()) {
            text += " " + names_of(*option);
        }
    }
    text += commands_of(app).empty() ? "" : " COMMAND";
    return "Usage: " + wrapped(text + " [OPTION]...", 11) + "\n";
}

std::string arguments_of(CLI::App const& app) {
    std::string text;
    for (auto const* const option : app.get_options()) {
        if (option->get_positional()) {
            text += line(upper(option->get_single_name()), about(*option));
        }
    }
    return text.empty() ? text : "\nArguments:\n" + text;
}

std::string options_of(CLI::App const& app) {
    std::vector<std::string> groups;
    for (auto const* const option : app.get_options()) {
        auto const& group = option->get_group();
        if (!group.empty() && std::ranges::find(groups, group) == groups.end()) {
            groups.push_back(group);
        }
    }
    std::string text;
    for (auto const& group : groups) {
        std::string lines;
        for (auto const* const option : app.get_options()) {
            bool const named = !option->get_lnames().empty() || !option->get_snames().empty();
            if (named && option->get_group() == group && !option->get_positional()) {
                lines += line(names_of(*option), about(*option));
            }
        }
        text += lines.empty() ? "" : "\n" + group + ":\n" + lines;
    }
    return text;
}

// Letters to change, to add, to take away, or to swap with the next one.
std::size_t distance(std::string_view from, std::string_view to) {
    std::vector<std::vector<std::size_t>> steps(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
    for (std::size_t i = 0; i <= from.size(); ++i) {
        for (std::size_t j = 0; j <= to.size(); ++j) {
            if (i == 0 || j == 0) {
                steps[i][j] = i + j;
                continue;
            }
            steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1,
                                    steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
            }
        }
    }
    return steps[from.size()][to.size()];
}

std::vector<std::string> names_of_commands(CLI::App const& app) {
    std::vector<std::string> made;
    for (auto const* const one : commands_of(app)) {
        made.push_back(one->get_name());
    }
    return made;
}

std::string listed(std::vector<std::string> const& words) {
    std::string made;
    for (std::size_t i = 0; i < words.size(); ++i) {
        made += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    }
    return made;
}

// An option of this command, or of those above it.
CLI::Option const* find_option(CLI::App const& app, std::string const& name) {
    for (auto const* at = &app; at != nullptr; at = at->get_parent()) {
        if (auto const* const found = at->get_option_no_throw(name); found != nullptr) {
            return found;
        }
    }
    return nullptr;
}

std::string unknown_option(CLI::App const& app, std::string const& name) {
    std::vector<std::string> known;
    for (auto const* at = &app; at != nullptr; at = at->get_parent()) {
        for (auto const* const option : at->get_options()) {
            for (auto const& one : option->get_lnames()) {
                known.push_back("--" + one);
            }
        }
    }
    auto const meant = nearest(name, known);
    return path_of(app) + " has no option " + name + (meant ? "; did you mean " + *meant + "?" : "") +
           "\nSee " + path_of(app) + " --help";
}

std::string unknown_command(CLI::App const& app, std::string const& word) {
    auto const known = names_of_commands(app);
    auto const meant = nearest(word, known);
    return path_of(app) + " has no command \"" + word + "\"" +
           (meant ? "; did you mean " + path_of(app) + " " + *meant + "?" : ". There are " + listed(known)) +
           "\nSee " + path_of(app) + " --help";
}

} // namespace

std::string path_of(CLI::App const& app) {
    return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
    std::istringstream words{std::string{text}};
    std::string made;
    std::size_t used = indent;
    for (std::string word; words >> word;) {
        if (!made.empty() && used + 1 + word.size() > columns) {
            made += '\n' + std::string(indent, ' ');
            used = indent;
        } else if (!made.empty()) {
            made += ' ';
            ++used;
        }
        made += word;
        used += word.size();
    }
    return made;
}

std::optional<std::string> nearest(std::string_view word, std::vector<std::string> const& known) {
    std::optional<std::string> best;
    auto least = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (auto const& one : known) {
        bool const begun = word.size() >= 3 && one.starts_with(word);
        if (auto const steps = begun ? 1 : distance(word, one); steps < least) {
            least = steps;
            best = one;
        }
    }
    return best;
}

std::string plain_help::make_help(CLI::App const* app, std::string /*name*/,
                                  CLI::AppFormatMode /*mode*/) const {
    auto text = wrapped(app->get_description(), 0) + "\n\n" + usage_of(*app) + arguments_of(*app);
    if (auto const commands = commands_of(*app); !commands.empty()) {
        text += "\nCommands:\n";
        for (auto const* const one : commands) {
            text += line(one->get_name(), one->get_description());
        }
    }
    text += options_of(*app);
    if (!app->get_footer().empty()) {
        text += "\n" + app->get_footer() + "\n";
    }
    if (app->get_parent() != nullptr) {
        text += "\nonce --help tells what every command takes: --database, --schema, --json, ...\n";
    }
    return text;
}

std::optional<std::string> explain_words(CLI::App const& app, std::vector<std::string> const& words) {
    auto const* at = &app;
    bool wants_help = false;
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        auto const& word = words[i];
        if (word.size() > 1 && word.front() == '-') {
            bool const is_long = word.starts_with("--");
            auto const name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
            wants_help = wants_help || name == "--help" || name == "-h" || name == "--version";
            auto const* const option = find_option(*at, name);
            if (option == nullptr) {
                return unknown_option(*at, name);
            }
            i += takes_value(*option) && word.size() == name.size() ? 1 : 0;
            continue;
        }
        if (commands_of(*at).empty()) {
            continue; // an argument
        }
        auto const known = commands_of(*at);
        auto const next = std::ranges::find(known, word, [](CLI::App const* one) { return one->get_name(); });
        if (next == known.end()) {
            return unknown_command(*at, word);
        }
        at = *next;
    }
    if (commands_of(*at).empty() || wants_help) {
        return std::nullopt;
    }
    return at == &app ? "what is it to do? once status shows how things are; once help lists all commands"
                      : path_of(*at) + ": what? " + listed(names_of_commands(*at));
}

} // namespace once::command
