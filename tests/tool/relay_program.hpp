// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "support/child_process.hpp"
#include "support/raw_http.hpp"
#include "support/wait_until.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace once::testing {

/// A folder of one test.
class temporary_folder {
public:
    temporary_folder()
        : m_path{std::filesystem::temp_directory_path() /
                 ("once_tool_" + std::to_string(std::random_device{}()))} {
        std::filesystem::create_directories(m_path);
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    temporary_folder(temporary_folder const&) = delete;
    temporary_folder& operator=(temporary_folder const&) = delete;

    [[nodiscard]] std::string file(std::string const& name) const { return m_path / name; }
    /// Writes a file that only its owner may read, unless told otherwise.
    [[nodiscard]] std::string write(std::string const& name, std::string const& text,
                                    std::filesystem::perms mode = std::filesystem::perms{0600}) const {
        std::ofstream{file(name)} << text;
        std::filesystem::permissions(file(name), mode);
        return file(name);
    }

private:
    std::filesystem::path m_path;
};

[[nodiscard]] inline std::string read_file(std::string const& path) {
    std::ostringstream text;
    text << std::ifstream{path}.rdbuf();
    return text.str();
}

[[nodiscard]] inline std::vector<std::string> lines_of(std::string const& text) {
    std::vector<std::string> made;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        made.push_back(line);
    }
    return made;
}

[[nodiscard]] inline std::vector<std::string> lines_of_file(std::string const& path) {
    return lines_of(read_file(path));
}

/// The program `once`, beside the test.
class once_program {
public:
    /// @param variables NAME=value for its environment
    once_program(std::vector<std::string> const& words, std::vector<std::string> const& variables = {})
        : m_child{command(words, variables, m_folder.file("err"))} {}

    [[nodiscard]] pid_t pid() const { return m_child.pid(); }
    void signal(int number) const { m_child.signal(number); }
    [[nodiscard]] bool ended() const { return m_child.ended(); }
    [[nodiscard]] std::string read_line() { return m_child.read_line(); }
    /// What it has said on standard error.
    [[nodiscard]] std::string log() const { return read_file(m_folder.file("err")); }
    [[nodiscard]] bool logs(std::string const& text) const {
        return wait_until([&] { return log().find(text) != std::string::npos || ended(); }) &&
               log().find(text) != std::string::npos;
    }
    /// Where it serves its numbers, as the line says with which it has started; empty when there is none.
    [[nodiscard]] std::string url() const {
        static_cast<void>(logs("listen=http"));
        auto const text = log();
        auto const begin = text.find("listen=");
        return begin == std::string::npos
                   ? std::string{}
                   : text.substr(begin + 7, text.find_first_of(" \n", begin) - begin - 7);
    }
    /// Its exit status, or minus the signal that ended it.
    [[nodiscard]] int wait() {
        m_ending = m_child.wait();
        return WIFEXITED(m_ending.status) ? WEXITSTATUS(m_ending.status) : -WTERMSIG(m_ending.status);
    }
    [[nodiscard]] std::string const& output() const { return m_ending.output; }
    /// Asks it to stop.
    [[nodiscard]] int stop() {
        signal(SIGTERM);
        return wait();
    }

private:
    static std::vector<std::string> command(std::vector<std::string> const& words,
                                            std::vector<std::string> const& variables,
                                            std::string const& log) {
        std::vector<std::string> made{"/usr/bin/env"};
        made.insert(made.end(), variables.begin(), variables.end());
        for (std::string const word : {"/bin/sh", "-c", R"(log=$1; shift; exec "$@" 2>"$log")", "sh"}) {
            made.push_back(word);
        }
        made.push_back(log);
        made.emplace_back(ONCE_COMMAND);
        made.insert(made.end(), words.begin(), words.end());
        return made;
    }

    temporary_folder m_folder;
    child_process m_child;
    child_process::ending m_ending;
};

/// What http://127.0.0.1:PORT/PATH answers, with its headers.
[[nodiscard]] inline std::string get(std::string const& url, std::string const& path) {
    return raw_http::exchange(std::stoi(url.substr(url.rfind(':') + 1)),
                              "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

} // namespace once::testing
