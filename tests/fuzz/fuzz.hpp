// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace once::fuzzing {

/// Ends the program when `holds` is false; the fuzzer keeps the input that did it.
inline void claim(bool holds, char const* text) {
    if (!holds) {
        std::fprintf(stderr, "claim does not hold: %s\n", text);
        std::abort();
    }
}

/// The bytes that a fuzzer gives, taken off from the front.
class input {
public:
    input(std::uint8_t const* data, std::size_t size) : m_left{reinterpret_cast<char const*>(data), size} {}

    [[nodiscard]] std::uint8_t byte() {
        if (m_left.empty()) {
            return 0;
        }
        auto const first = static_cast<std::uint8_t>(m_left.front());
        m_left.remove_prefix(1);
        return first;
    }
    /// As many bytes as the next byte says, or what is left.
    [[nodiscard]] std::string_view part() {
        auto const taken = m_left.substr(0, byte());
        m_left.remove_prefix(taken.size());
        return taken;
    }
    [[nodiscard]] std::string_view rest() const noexcept { return m_left; }
    [[nodiscard]] bool empty() const noexcept { return m_left.empty(); }

private:
    std::string_view m_left;
};

} // namespace once::fuzzing

/// What each fuzzer defines; libFuzzer calls it, and so does replay.cpp.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
