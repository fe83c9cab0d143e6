// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/secrets.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>

namespace once::command {

std::string read_text_file(std::string const& option, std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    auto made = text.str();
    while (!made.empty() && (made.back() == '\n' || made.back() == '\r')) {
        made.pop_back();
    }
    if (!file || made.empty()) {
        throw std::invalid_argument{"--" + option + ": " + path + " cannot be read, or is empty"};
    }
    return made;
}

std::string read_secret_file(std::string const& option, std::string const& path) {
    struct stat about{};
    if (::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & S_IROTH) != 0) {
        throw std::invalid_argument{"--" + option + ": everybody on this machine may read " + path +
                                    ": chmod o-r it"};
    }
    return read_text_file(option, path);
}

std::vector<std::string> lines_of(std::string const& text) {
    std::vector<std::string> made;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        auto const begin = line.find_first_not_of(" \t\r");
        if (begin != std::string::npos && line[begin] != '#') {
            made.push_back(line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1));
        }
    }
    return made;
}

void refuse_secrets(int argc, char const* const* argv) {
    for (int i = 1; i < argc; ++i) {
        std::string_view const word{argv[i]};
        if (word == "--secret" || word.starts_with("--secret=") || word.starts_with("whsec_")) {
            throw std::invalid_argument{
                "no secret on the command line, others can read it there; use ONCE_RELAY_SECRET "
                "in the environment, or --secret-file"};
        }
    }
}

} // namespace once::command
