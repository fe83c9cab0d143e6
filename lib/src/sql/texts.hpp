// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace once::sql {

/// The statements `Texts` for one schema: put together once in a process, so that no call pays for it.
/**
 * Any thread may ask. The reference stays good until the process ends, also for objects that are destroyed late.
 */
template <class Texts>
[[nodiscard]] Texts const& texts(std::string_view schema) {
    struct shelf {
        std::mutex mutex;
        std::map<std::string, Texts const, std::less<>> by_schema;
    };
    static shelf& made = *std::make_unique<shelf>().release(); // never destroyed
    std::lock_guard const lock{made.mutex};
    auto at = made.by_schema.find(schema);
    if (at == made.by_schema.end()) {
        at = made.by_schema.try_emplace(std::string{schema}, schema).first;
    }
    return at->second;
}

} // namespace once::sql
