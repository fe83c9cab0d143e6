// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "shell.hpp"

#include <array>
#include <cstdio>
#include <stdexcept>

namespace once::testing {

std::string shell_quoted(std::string const& text) {
    std::string quoted = "'";
    for (char const c : text) {
        quoted += c == '\'' ? "'\\''" : std::string{c};
    }
    return quoted + "'";
}

shell_result run_in_shell(std::string const& command) {
    auto* const pipe = ::popen(("{ " + command + "\n} 2>&1 </dev/null").c_str(), "r");
    if (pipe == nullptr) {
        throw std::runtime_error{"a shell cannot be started"};
    }
    shell_result result;
    std::array<char, 4096> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
        result.output += buffer.data();
    }
    result.status = ::pclose(pipe);
    return result;
}

} // namespace once::testing
