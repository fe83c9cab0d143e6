// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "migrate.hpp"

#include <once/migrations.hpp>

#include "exit_status.hpp"
#include "queries.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <ostream>
#include <vector>

namespace once::command {

namespace {

int newest_known() {
    return migrations().back().version;
}

void refuse_unknown(int version) {
    if (version < 0 || version > newest_known()) {
        throw std::invalid_argument{"--to: this command knows the migrations 1 to " +
                                    std::to_string(newest_known())};
    }
}

// One file to run.
struct step {
    std::string name;
    std::string_view sql;
};

// The files above version `low` up to `high`, in the order in which they are run.
std::vector<step> steps_up(int low, int high) {
    std::vector<step> made;
    for (auto const& one : migrations()) {
        if (one.version > low && one.version <= high) {
            made.push_back({std::string{one.name} + ".up.sql", one.up});
        }
    }
    return made;
}

// Those that take the schema from `high` back to `low`.
std::vector<step> steps_down(int high, int low) {
    std::vector<step> made;
    for (auto const& one : migrations()) {
        if (one.version > low && one.version <= high) {
            made.insert(made.begin(), {std::string{one.name} + ".down.sql", one.down});
        }
    }
    return made;
}

void print_step(step const& one, std::ostream& out) {
    out << "-- " << one.name << "\nbegin;\n" << one.sql << "commit;\n\n";
}

void print_steps(std::vector<step> const& steps, std::ostream& out) {
    for (auto const& one : steps) {
        print_step(one, out);
    }
}

// The version that is installed, while nobody else changes it until the end of the transaction.
int locked_version(pqxx::work& tx, std::string const& schema) {
    tx.exec(queries::lock_migrations, pqxx::params{schema});
    if (!tx.exec(queries::schema_version_exists_now, pqxx::params{schema})[0][0].as<bool>()) {
        return 0;
    }
    return tx.exec(queries::newest_version)[0][0].as<int>();
}

// Runs one file after the other, each in a transaction of its own. Which one is next is asked in that transaction: when
// several pods deploy at once, each file is applied by the one that comes first, and the others go on behind it.
// `next` says which files are left at a version; returns the version in the end.
template <typename Next>
int run_steps(session& db, Next const& next, int& done, std::ostream& out) {
    for (;;) {
        auto const begin = std::chrono::steady_clock::now();
        std::string ran;
        int version = 0;
        db.in_transaction([&](pqxx::work& tx) {
            version = locked_version(tx, db.where().schema);
            auto const left = next(version);
            if (!left.empty()) {
                ran = left.front().name;
                tx.exec(std::string{left.front().sql});
            }
        });
        if (ran.empty()) {
            return version;
        }
        auto const took =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        out << ran << "  " << took.count() << " ms\n" << std::flush;
        ++done;
    }
}

bool schema_exists(session& db) {
    return db.ask(queries::schema_exists, pqxx::params{db.where().schema})[0][0].as<bool>();
}

// IF NOT EXISTS would want the right to create one even where it is there.
void create_schema(session& db) {
    if (schema_exists(db)) {
        return;
    }
    try {
        db.in_transaction([&](pqxx::work& tx) {
            tx.exec("create schema if not exists " + tx.quote_name(db.where().schema));
        });
    } catch (pqxx::unique_violation const&) {
        // Another one made it at the same moment, which IF NOT EXISTS does not see.
    }
}

} // namespace

int migrate_up(session& db, migrate_up_options const& options, std::ostream& out) {
    int const target = options.to.value_or(newest_known());
    refuse_unknown(target);
    int const installed = db.installed_version();
    if (installed > newest_known()) {
        throw std::runtime_error{"the schema is at version " + std::to_string(installed) +
                                 ", newer than this command knows (" + std::to_string(newest_known()) +
                                 "): use the command of that release"};
    }
    if (options.dry_run) {
        auto const steps = steps_up(installed, target);
        out << "set search_path = " << db.connection().quote_name(db.where().schema) << ";\n\n";
        print_steps(steps, out);
        if (steps.empty()) {
            out << "-- nothing to do: the schema is at version " << installed << '\n';
        }
        return exit_status::ok;
    }
    if (options.create_schema) {
        create_schema(db);
    }
    if (!schema_exists(db)) {
        throw not_found{"there is no schema \"" + db.where().schema +
                        "\": create it, or give --create-schema"};
    }
    int done = 0;
    auto const begin = std::chrono::steady_clock::now();
    int const version = run_steps(db, [&](int at) { return steps_up(at, target); }, done, out);
    out << (done == 0 ? "nothing to do: " : "") << "the schema is at version " << version;
    if (done > 0) {
        auto const took =
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
        out << ": " << done << (done == 1 ? " file" : " files") << " applied in " << took.count() << " ms";
    }
    out << '\n';
    return exit_status::ok;
}

int migrate_down(session& db, migrate_down_options const& options, std::ostream& out) {
    refuse_unknown(options.to);
    int const installed = db.installed_version();
    if (!options.dry_run && !options.yes && installed > options.to) {
        throw std::invalid_argument{
            "this drops the data of " + std::to_string(installed - options.to) +
            " migration(s). See what it would do with --dry-run; give --yes to do it"};
    }
    if (options.dry_run) {
        print_steps(steps_down(installed, options.to), out);
    }
    int done = 0;
    int const version = options.dry_run || installed == 0
                            ? installed
                            : run_steps(db, [&](int at) { return steps_down(at, options.to); }, done, out);
    out << (options.dry_run ? "-- " : "") << (done == 0 && !options.dry_run ? "nothing to do: " : "")
        << "the schema is at version " << version << '\n';
    return exit_status::ok;
}

int migrate_status(session& db, format how, std::ostream& out) {
    int const installed = db.installed_version();
    if (how == format::json) {
        auto pending = nlohmann::ordered_json::array();
        for (auto const& step : migrations()) {
            if (step.version > installed) {
                pending.push_back(step.name);
            }
        }
        print_json(out, {{"schema", db.where().schema},
                         {"installed", installed},
                         {"known", newest_known()},
                         {"applied", installed > 0 ? to_json(db.ask(queries::applied_versions))
                                                   : nlohmann::ordered_json::array()},
                         {"pending", pending}});
    } else {
        if (installed > 0) {
            print_table(out, db.ask(queries::applied_versions), "");
        }
        for (auto const& step : migrations()) {
            if (step.version > installed) {
                out << "pending: " << step.name << ".up.sql\n";
            }
        }
        if (installed > newest_known()) {
            out << "version " << installed << " is newer than this command knows (" << newest_known()
                << ")\n";
        }
    }
    return installed == newest_known() ? exit_status::ok : exit_status::found;
}

int migrate_print(std::optional<int> from, std::optional<int> to, bool down, std::ostream& out) {
    int const low = from.value_or(0);
    int const high = to.value_or(newest_known());
    refuse_unknown(low);
    refuse_unknown(high);
    for (auto const& one : down ? steps_down(high, low) : steps_up(low, high)) {
        print_step(one, out);
    }
    return exit_status::ok;
}

} // namespace once::command
