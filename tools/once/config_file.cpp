// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "config_file.hpp"

#include "environment.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>

namespace once::command {

namespace {

std::string variable_name(std::string const& prefix, std::string name) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return c == '-' ? '_' : std::toupper(c); });
    return prefix + name;
}

// CLI11 lets the file win over the environment; people expect the other way round.
bool environment_says(CLI::App const& app, CLI::ConfigItem const& item) {
    if (item.parents.empty() && item.name == "database") {
        return variable("ONCE_DATABASE").has_value();
    }
    auto const* at = &app;
    try {
        for (auto const& name : item.parents) {
            at = at->get_subcommand(name);
        }
    } catch (CLI::OptionNotFound const&) {
        return false; // CLI11 says so, too
    }
    auto const* const option = at->get_option_no_throw("--" + item.name);
    return option != nullptr && !option->get_envname().empty() && variable(option->get_envname()).has_value();
}

class config_reader final : public CLI::ConfigTOML {
public:
    explicit config_reader(CLI::App const& app) : m_app{app} {}

    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
        auto read = CLI::ConfigTOML::from_config(input);
        std::erase_if(read, [this](auto const& item) { return environment_says(m_app, item); });
        return read;
    }

private:
    CLI::App const& m_app;
};

// From 2.6 on, CLI11 tells of a file that is not there only after it has missed what the file would have said.
std::string unreadable(std::string const& path) {
    return path.empty() || (CLI::ExistingFile(path).empty() && std::ifstream{path})
               ? std::string{}
               : "the file cannot be read: " + path;
}

} // namespace

void add_config_file(CLI::App& app) {
    auto const named = variable("ONCE_CONFIG");
    app.allow_config_extras(false);
    app.config_formatter(std::make_shared<config_reader>(app));
    app.set_config("--config", named.value_or(""),
                   "a file with settings, TOML or INI; a section for each command (default: $ONCE_CONFIG)",
                   named.has_value())
        ->check(unreadable);
}

void add_variables(CLI::App& command, std::string const& prefix) {
    for (auto* const option : command.get_options()) {
        if (!option->get_lnames().empty() && option->get_lnames().front() != "help") {
            option->envname(variable_name(prefix, option->get_lnames().front()));
        }
    }
}

std::string explain_config_error(CLI::Error const& error) {
    std::string text = error.what();
    if (error.get_name() != "ConfigError") {
        return text;
    }
    static std::string const unknown = "INI was not able to parse ";
    if (text.starts_with(unknown)) {
        text = text.substr(unknown.size());
        text = text.ends_with(".++") ? "the configuration file has the unknown section [" +
                                           text.substr(0, text.size() - 3) + "]"
                                     : "the configuration file has the unknown key " + text;
    }
    return text + "\nKeys are the options of a command without their dashes, in a section with its name; "
                  "secrets are "
                  "none of them.\nSee once(1), CONFIGURATION.";
}

} // namespace once::command
