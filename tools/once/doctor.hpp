// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#pragma once

#include "session.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace once::command {

/// One object of a schema, as the catalog describes it.
struct catalog_entry {
    std::string kind;
    std::string name;
    std::string definition;
    /// SQL that makes it, and SQL that makes it of another one; empty where the catalog has none.
    std::string fix;
    std::string change;
};

/// One thing that is not as it should be.
struct finding {
    std::string what;
    std::string why;
    /// SQL that fixes it, and runs as it stands; empty where there is none.
    std::string fix;
    /// What to do where that needs a decision or another tool.
    std::string advice;
};

/// What the live catalog has too little, too much, or otherwise. Pure.
[[nodiscard]] std::vector<finding> compare_catalogs(std::vector<catalog_entry> expected,
                                                    std::vector<catalog_entry> live);

/// For people, for machines, or only the SQL that fixes what can be fixed without a decision.
enum class doctor_output { text, json, sql };

/// `doctor`: compares the schema with what the migrations of this command make, and looks for rights, owners,
/// publications and settings that break a promise.
/**
 * The comparison applies the migrations to a scratch schema, in a transaction that is rolled back; it needs the right
 * to create a schema, and makes no role.
 * @return the exit status: 1 when something was found
 */
int doctor(session& db, doctor_output how, std::ostream& out);

} // namespace once::command
