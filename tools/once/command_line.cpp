// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "command_line.hpp"

#include <once/error.hpp>
#include <once/version.hpp>

#include "bench/bench.hpp"
#include "completion.hpp"
#include "config_file.hpp"
#include "conninfo.hpp"
#include "doctor.hpp"
#include "environment.hpp"
#include "exit_status.hpp"
#include "look.hpp"
#include "metrics.hpp"
#include "migrate.hpp"
#include "output.hpp"
#include "purge.hpp"
#include "records.hpp"
#include "relay/arguments.hpp"
#include "relay/relay.hpp"
#include "relay/secrets.hpp"
#include "tail.hpp"

#include <pqxx/except>

#include <CLI/CLI.hpp>
#include <functional>
#include <ostream>

namespace once::command {

namespace {

/// The command line as a tree of subcommands; whichever is named last sets `m_run`.
class command_line {
public:
    command_line(std::stop_token stop, std::ostream& out, std::ostream& err)
        : m_stop{std::move(stop)}, m_out{out}, m_err{err} {
        m_app.require_subcommand(1);
        m_app.fallthrough();
        m_app.set_version_flag("--version", version_text);
        m_app.add_option(
            "-d,--database", m_target.conninfo,
            "libpq connection string or URI, without a password (default: $ONCE_DATABASE, then libpq's own "
            "PGHOST, PGDATABASE, ...)");
        m_app.add_option("-s,--schema", m_target.schema, "the schema that holds the library's objects")
            ->envname("ONCE_SCHEMA")
            ->capture_default_str();
        m_app.add_flag("--json", m_json, "for machines: JSON instead of a table");
        add_config_file(m_app);
        m_app.footer("Exit status: 0 all well, 1 something found, 2 wrong use, 3 database not reached, 4 "
                     "refused, 5 not there.\n"
                     "once COMMAND --help tells more. The manual page is once(1).");
        add_migrate();
        add_look();
        add_records();
        add_tail();
        add_relay();
        add_bench();
        add_completion();
    }

    int run(int argc, char const* const* argv) {
        refuse_secrets(argc, argv);
        try {
            m_app.parse(argc, argv);
        } catch (CLI::ConfigError const& e) {
            throw std::invalid_argument{explain_config_error(e)};
        } catch (CLI::ParseError const& e) {
            int const status = m_app.exit(e, m_out, m_err);
            return status == 0 ? exit_status::ok : exit_status::usage;
        }
        return m_run();
    }

private:
    [[nodiscard]] format how() const { return m_json ? format::json : format::table; }

    void complete_target() {
        check_schema_name(m_target.schema);
        if (m_target.conninfo.empty()) {
            m_target.conninfo = variable("ONCE_DATABASE").value_or("");
        } else {
            refuse_password(m_target.conninfo);
        }
    }

    session connect() {
        complete_target();
        return session{m_target};
    }

    // A subcommand that runs `action` with a connection.
    void connected(CLI::App* app, std::function<int(session&)> action) {
        app->callback([this, action = std::move(action)] {
            m_run = [this, action] {
                auto db = connect();
                return action(db);
            };
        });
    }

    void add_migrate() {
        auto* const migrate = m_app.add_subcommand("migrate", "apply, reverse, show and print the schema");
        migrate->require_subcommand(1);

        auto* const up =
            migrate->add_subcommand("up", "apply what is missing, each file in a transaction of its own");
        up->add_option("--to", m_up.to, "up to this version");
        up->add_flag("--dry-run", m_up.dry_run, "print the SQL and change nothing");
        up->add_flag("--create-schema", m_up.create_schema, "create the schema first if it is not there");
        connected(up, [this](session& db) { return migrate_up(db, m_up, m_out); });

        auto* const down = migrate->add_subcommand("down", "reverse migrations; their data are lost");
        down->add_option("--to", m_down.to, "down to this version; 0 takes all out")->required();
        down->add_flag("--dry-run", m_down.dry_run, "print the SQL and change nothing");
        down->add_flag("--yes", m_down.yes, "really drop the data");
        connected(down, [this](session& db) { return migrate_down(db, m_down, m_out); });

        auto* const status =
            migrate->add_subcommand("status", "what is applied, and what is pending (exit status 1 then)");
        connected(status, [this](session& db) { return migrate_status(db, how(), m_out); });

        auto* const print_sql = migrate->add_subcommand("print", "print the files, without a database");
        print_sql->add_option("--from", m_print_from, "those above this version");
        print_sql->add_option("--to", m_print_to, "up to this version");
        print_sql->add_flag("--down", m_print_down, "the reverse files");
        print_sql->callback([this] {
            m_run = [this] { return migrate_print(m_print_from, m_print_to, m_print_down, m_out); };
        });
    }

    void add_look() {
        auto* const show =
            m_app.add_subcommand("status", "one screen: version, records, lag, parked, oldest transaction "
                                           "(exit status 1 when something needs a person)");
        connected(show, [this](session& db) { return status(db, how(), m_out); });
        auto* const stall =
            m_app.add_subcommand("why", "why does a subscription not move? One line per reason");
        stall->add_option("subscription", m_stall, "its name (default: all)");
        connected(stall, [this](session& db) { return explain_stall(db, m_stall, how(), m_out); });
        auto* const look =
            m_app.add_subcommand("doctor", "differences of the schema from what it should be with the SQL "
                                           "that mends them, and settings that "
                                           "break a promise (exit status 1 when something is found)");
        look->add_flag("--sql", m_sql, "only the SQL that mends it");
        connected(look, [this](session& db) {
            return doctor(db,
                          m_sql    ? doctor_output::sql
                          : m_json ? doctor_output::json
                                   : doctor_output::text,
                          m_out);
        });
        auto* const numbers =
            m_app.add_subcommand("metrics", "all metrics once, in the format of Prometheus");
        numbers->add_option(
            "--listen", m_listen,
            "serve them at http://HOST:PORT/metrics until SIGTERM, for example 127.0.0.1:9187");
        numbers->callback([this] {
            m_run = [this] {
                if (m_listen) {
                    complete_target();
                    return serve_metrics(m_target, *m_listen, m_stop, m_out);
                }
                auto db = connect();
                return print_metrics(db, how(), m_out);
            };
        });
    }

    void add_records() {
        auto* const request = m_app.add_subcommand("request", "idempotency records");
        request->require_subcommand(1);
        auto* const show = request->add_subcommand("show", "who claimed a key, when, and what came of it");
        show->add_option("key", m_request.key, "the idempotency key")->required();
        show->add_option("--scope", m_request.scope, "only in this scope");
        show->add_flag("--response", m_request.response, "also what was answered");
        connected(show, [this](session& db) { return request_show(db, m_request, how(), m_out); });

        auto* const purge_command = m_app.add_subcommand(
            "purge",
            "remove what has expired: records, messages, inbox, operations, windows, tokens, leases");
        purge_command->add_option("--keep", m_purge.keep, "keep delivered messages for so long (an interval)")
            ->capture_default_str();
        purge_command->add_option("--batch", m_purge.batch, "most rows in one transaction")
            ->check(CLI::Range(1, 100'000))
            ->capture_default_str();
        purge_command->add_option("--unused", m_purge.unused, "keep leases that nobody holds for so long")
            ->capture_default_str();
        purge_command->add_option("--only", m_purge.only, "only this job; may be repeated")
            ->check(CLI::IsMember(purge_jobs()));
        connected(purge_command, [this](session& db) { return purge(db, m_purge, how(), m_out); });

        auto* const parked = m_app.add_subcommand("parked", "messages whose delivery failed");
        parked->require_subcommand(1);
        auto* const list = parked->add_subcommand("list", "what is parked, and why");
        list->add_option("subscription", m_filter.subscription, "only of this subscription");
        list->add_option("--state", m_filter.state, "only in this state")
            ->check(CLI::IsMember({"retrying", "waiting", "dead"}));
        list->add_option("--limit", m_filter.limit, "most lines")
            ->check(CLI::Range(1, 100'000))
            ->capture_default_str();
        connected(list, [this](session& db) { return parked_list(db, m_filter, how(), m_out); });
        auto* const one = parked->add_subcommand("show", "everything about one message");
        one->add_option("message", m_message, "its id (a UUID)")->required();
        one->add_flag("--payload", m_payload, "its payload, and nothing else (base64 unless it is JSON)");
        connected(one, [this](session& db) { return parked_show(db, m_message, m_payload, how(), m_out); });
        auto const choose = [this](CLI::App* app, bool required) {
            app->add_option("subscription", m_choice.subscription, "its subscription")->required();
            app->add_option("message", m_choice.message, "its id (a UUID)")->required(required);
            app->add_option("--service", m_choice.service,
                            "of this service (default: that of the role connected)");
        };
        auto* const redrive =
            parked->add_subcommand("redrive", "try dead messages again: one, or all of a subscription");
        choose(redrive, false);
        connected(redrive, [this](session& db) { return parked_redrive(db, m_choice, how(), m_out); });
        auto* const discard = parked->add_subcommand("discard", "give one message up for ever");
        choose(discard, true);
        connected(discard, [this](session& db) { return parked_discard(db, m_choice, how(), m_out); });
    }

    void add_tail() {
        auto* const watch =
            m_app.add_subcommand("tail", "show messages as their transactions commit; leaves no trace");
        watch->add_option("topic", m_tail.topic, "a topic, or a prefix that ends with .* (default: all)");
        watch->add_flag("--payload", m_tail.payload, "with their payloads");
        watch->add_option("-n,--limit", m_tail.limit, "end after so many messages; 0: go on")
            ->capture_default_str();
        connected(watch, [this](session& db) { return tail(db, m_tail, how(), m_stop, m_out); });
    }

    void add_relay() {
        auto* const daemon = m_app.add_subcommand(
            "relay",
            "hand the messages of a subscription to a file, a webhook or another database, until SIGTERM");
        add_relay_options(*daemon, m_relay);
        daemon->footer(
            "Each option is also a key of the section [relay] in the file of --config, and a variable "
            "ONCE_RELAY_..., in capitals.\nThe command line wins over the variable, and that over the "
            "file. Secrets: only in a variable, or in a file of their own.");
        daemon->callback([this] {
            m_run = [this] {
                complete_target();
                return relay(m_target, m_relay, m_stop, m_out, m_err);
            };
        });
    }

    void add_bench() {
        auto* const load = m_app.add_subcommand(
            "bench", "what this database can do: claims, replays, publishing and delivery a second");
        load->add_option("--seconds", m_bench.seconds, "for each job")
            ->check(CLI::Range(1, 3600))
            ->capture_default_str();
        load->add_option("--connections", m_bench.connections, "side by side")
            ->check(CLI::Range(1, 64))
            ->capture_default_str();
        load->add_flag("--yes", m_bench.yes, "really put load on it");
        load->footer("It works in a schema of its own, and drops it in the end, also when it is stopped. "
                     "wal_bytes counts "
                     "what the whole server wrote meanwhile.");
        load->callback([this] {
            m_run = [this] {
                complete_target();
                return bench(m_target, m_bench, how(), m_stop, m_out);
            };
        });
    }

    void add_completion() {
        auto* const shell =
            m_app.add_subcommand("completion", "print completion for bash: eval \"$(once completion)\"");
        shell->callback([this] {
            m_run = [this] {
                m_out << bash_completion(m_app);
                return exit_status::ok;
            };
        });
    }

    CLI::App m_app{"Looks after the schema of the once library: writes that happen once, with PostgreSQL.",
                   "once"};
    std::stop_token m_stop;
    std::ostream& m_out;
    std::ostream& m_err;
    std::function<int()> m_run;
    target m_target;
    bool m_json = false;
    bool m_sql = false;
    migrate_up_options m_up;
    migrate_down_options m_down;
    std::optional<int> m_print_from;
    std::optional<int> m_print_to;
    bool m_print_down = false;
    std::optional<std::string> m_stall;
    std::optional<std::string> m_listen;
    request_options m_request;
    purge_options m_purge;
    parked_filter m_filter;
    std::string m_message;
    bool m_payload = false;
    parked_choice m_choice;
    tail_options m_tail;
    relay_settings m_relay;
    bench_options m_bench;
};

} // namespace

int run_command_line(int argc, char const* const* argv, std::stop_token stop, std::ostream& out,
                     std::ostream& err) {
    auto const fail = [&err](int status, std::exception const& e) {
        err << "once: " << bare_line(e.what()) << '\n';
        return status;
    };
    try {
        return command_line{std::move(stop), out, err}.run(argc, argv);
    } catch (std::invalid_argument const& e) {
        return fail(exit_status::usage, e);
    } catch (once::invalid_argument const& e) {
        return fail(exit_status::usage, e);
    } catch (not_found const& e) {
        return fail(exit_status::not_found, e);
    } catch (pqxx::broken_connection const& e) {
        return fail(exit_status::unreachable, e);
    } catch (std::exception const& e) {
        return fail(exit_status::refused, e);
    }
}

} // namespace once::command
