// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/message_id.hpp>
#include <once/operation.hpp>

#include "operation/operation_plan.hpp"
#include "operation/operation_run.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace once {

std::string_view to_string(operation_outcome value) noexcept {
    switch (value) {
    case operation_outcome::done:
        return "done";
    case operation_outcome::replayed:
        return "replayed";
    case operation_outcome::in_progress:
        return "in_progress";
    case operation_outcome::key_reused:
        return "key_reused";
    case operation_outcome::unknown_effect:
        return "unknown_effect";
    case operation_outcome::failed:
        break;
    }
    return "failed";
}

operation::operation(std::string name, std::vector<phase> phases, operation_options options)
    : m_plan{std::make_shared<detail::operation_plan const>(std::move(name), std::move(phases),
                                                            std::move(options))} {}

operation_reply operation::run(database& db, request const& request, nlohmann::json const& data) const {
    validate(request);
    auto const text = detail::to_stored_data(data);
    // Any random UUID will do for an owner.
    detail::operation_run run{db, *m_plan, message_id::random().to_string()};
    return run.run(request, text);
}

operation_reply operation::run(database& db, request const& request) const {
    return run(db, request, nlohmann::json::object());
}

std::string const& operation::name() const noexcept {
    return m_plan->name();
}

} // namespace once
