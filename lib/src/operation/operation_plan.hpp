// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <once/operation.hpp>
#include <once/phase.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace once::detail {

/// What an `operation` is made of, checked.
class operation_plan {
public:
    /// @throws once::invalid_argument
    operation_plan(std::string name, std::vector<phase> phases, operation_options options);

    [[nodiscard]] std::string const& name() const noexcept { return m_name; }
    [[nodiscard]] std::vector<phase> const& phases() const noexcept { return m_phases; }
    [[nodiscard]] operation_options const& options() const noexcept { return m_options; }

    /// The place of a phase; empty when the plan does not have it (any more).
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept {
        auto const found = std::ranges::find(m_phases, name, &phase::name);
        return found == m_phases.end()
                   ? std::nullopt
                   : std::optional{static_cast<std::size_t>(std::distance(m_phases.begin(), found))};
    }

private:
    std::string m_name;
    std::vector<phase> m_phases;
    operation_options m_options;
};

/// The kind of call to note down for a phase before it runs; empty for none.
[[nodiscard]] std::optional<std::string> call_of(phase const& phase);

/// The pause before the attempt after the failed one of this number (from 1).
[[nodiscard]] std::chrono::milliseconds pause_after(int attempt, operation_options const& options) noexcept;

/// What is kept of an exception for people: printable ASCII and line breaks as spaces, 500 bytes.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace once::detail
