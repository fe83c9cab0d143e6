// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one table of commands and options, read from top to bottom; what they do stands elsewhere.
#include "command_line.hpp"

#include <once/error.hpp>
#include <once/version.hpp>

#include "bench/bench.hpp"
#include "completion.hpp"
#include "config_file.hpp"
#include "conninfo.hpp"
#include "doctor.hpp"
#include "environment.hpp"
#include "examples.hpp"
#include "exit_status.hpp"
#include "failure.hpp"
#include "grant.hpp"
#include "help.hpp"
#include "look.hpp"
#include "metrics.hpp"
#include "migrate.hpp"
#include "output.hpp"
#include "printable.hpp"
#include "purge.hpp"
#include "records.hpp"
#include "relay/arguments.hpp"
#include "relay/relay.hpp"
#include "relay/secrets.hpp"
#include "screen.hpp"
#include "subscriptions.hpp"
#include "tail.hpp"

#include <pqxx/except>

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <ostream>
#include <stop_token>
#include <vector>

namespace once::command {

namespace {

/// The command line as a tree of subcommands; the one that is named last sets `m_run`. All commands in one place,
/// one function for each: that is why this file is long.
class command_line {
public:
    command_line(std::stop_token stop, std::ostream& out, std::ostream& err)
        : m_stop{std::move(stop)}, m_out{out}, m_err{err} {
        m_app.require_subcommand(1);
        m_app.fallthrough();
        m_app.formatter(std::make_shared<plain_help>());
        m_app.set_help_flag("-h,--help", "this text; after a command what it does and takes");
        m_app.set_version_flag("--version", version_text, "the version");
        m_app.add_option(
            "-d,--database", m_target.conninfo,
            "libpq connection string or URI, without a password (default: $ONCE_DATABASE, then libpq's own "
            "PGHOST, PGDATABASE, ...)");
        m_app.add_option("-s,--schema", m_target.schema, "the schema that holds the library's objects")
            ->envname("ONCE_SCHEMA")
            ->capture_default_str();
        m_app.add_flag("--json", m_json, "for machines: JSON instead of a table");
        m_app.add_flag("--verbose", m_verbose, "with an error also what the server or libpq said");
        add_config_file(m_app);
        add_migrate();
        add_look();
        add_metrics();
        add_request();
        add_purge();
        add_parked();
        add_subscription();
        add_grant();
        add_tail();
        add_relay();
        add_bench();
        add_completion();
        add_examples(m_app);
    }

    int run(int argc, char const* const* argv) {
        refuse_secrets(argc, argv);
        std::vector<std::string> words(argv + 1, argv + argc);
        if (!words.empty() && words.front() == "help") { // once help parked list
            words.erase(words.begin());
            words.emplace_back("--help");
        }
        if (auto const wrong = explain_words(m_app, words)) {
            throw std::invalid_argument{*wrong};
        }
        try {
            m_app.parse(std::vector<std::string>{words.rbegin(), words.rend()}); // it takes them from the end
        } catch (CLI::ConfigError const& e) {
            throw std::invalid_argument{explain_config_error(e)};
        } catch (CLI::Success const& e) { // help and version
            m_app.exit(e, m_out, m_err);
            return exit_status::ok;
        } catch (CLI::ParseError const& e) {
            auto const named = m_app.get_subcommands();
            throw std::invalid_argument{std::string{e.what()} + "\nSee " +
                                        (named.empty() ? "once" : deepest(*named.front())) + " --help"};
        }
        return m_run();
    }

    /// Whether an error is to show what the server said.
    [[nodiscard]] bool verbose() const noexcept { return m_verbose || m_relay.verbose; }

private:
    static std::string deepest(CLI::App const& app) {
        auto const named = app.get_subcommands();
        return named.empty() ? path_of(app) : deepest(*named.front());
    }

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

    // A subcommand that runs `action` with a connection. What it needs is a group role, or owner.
    void connected(CLI::App* app, std::string needed, std::function<int(session&)> action,
                   bool stops_by_itself = false) {
        app->callback([this, needed = std::move(needed), action = std::move(action), stops_by_itself] {
            m_run = [this, needed, action, stops_by_itself] {
                auto db = connect();
                std::stop_callback const cancel{stops_by_itself ? std::stop_token{} : m_stop,
                                                [&] { db.connection().cancel_query(); }};
                try {
                    return action(db);
                } catch (pqxx::sql_error const& e) {
                    throw explained(e, db, m_shows_content ? "administrator" : needed);
                }
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
        connected(up, "owner", [this](session& db) { return migrate_up(db, m_up, m_out); });

        auto* const down = migrate->add_subcommand("down", "reverse migrations; their data are lost");
        down->add_option("--to", m_down.to, "down to this version; 0 takes all out")->required();
        down->add_flag("--dry-run", m_down.dry_run, "print the SQL and change nothing");
        down->add_flag("--yes", m_down.yes, "really drop the data");
        connected(down, "owner", [this](session& db) { return migrate_down(db, m_down, m_out); });

        auto* const status =
            migrate->add_subcommand("status", "what is applied, and what is pending (exit status 1 then)");
        connected(status, "inspector", [this](session& db) { return migrate_status(db, how(), m_out); });

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
        connected(show, "inspector", [this](session& db) { return status(db, how(), m_out); });
        auto* const stall = m_app.add_subcommand(
            "why", "why does a subscription, or a request, not move? One line per reason");
        auto* const name = stall->add_option("subscription", m_stall, "its name (default: all)");
        stall->add_option("--service", m_service, "of this service only");
        auto* const key = stall->add_option(
            "--key", m_key.key, "instead: who works on the request with this key, so that it is in_progress");
        auto* const scope = stall->add_option("--scope", m_key.scope, "the scope of that key");
        key->needs(scope)->excludes(name);
        scope->needs(key);
        connected(stall, "inspector", [this](session& db) {
            m_key.service = m_service;
            return m_key.key ? explain_key(db, m_key, how(), m_out)
                             : explain_stall(db, m_stall, m_service, how(), m_out);
        });
        auto* const look =
            m_app.add_subcommand("doctor", "differences of the schema from what it should be with the SQL "
                                           "that fixes them, and settings that "
                                           "break a promise (exit status 1 when something is found)");
        look->add_flag("--sql", m_sql, "only the SQL that fixes it");
        connected(look, "owner", [this](session& db) {
            return doctor(db,
                          m_sql    ? doctor_output::sql
                          : m_json ? doctor_output::json
                                   : doctor_output::text,
                          m_out);
        });
    }

    void add_metrics() {
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
                try {
                    return print_metrics(db, how(), m_out);
                } catch (pqxx::sql_error const& e) {
                    throw explained(e, db, "inspector");
                }
            };
        });
    }

    void add_request() {
        auto* const request = m_app.add_subcommand("request", "idempotency records");
        request->require_subcommand(1);
        auto* const show = request->add_subcommand("show", "who claimed a key, when, and what came of it");
        show->add_option("key", m_request.key, "the idempotency key")->required();
        show->add_option("--scope", m_request.scope, "only in this scope");
        show->add_flag("--response", m_request.response, "also what was answered");
        connected(show, "inspector", [this](session& db) {
            m_shows_content = m_request.response;
            return request_show(db, m_request, how(), m_out);
        });
    }

    void add_purge() {
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
        connected(purge_command, "administrator",
                  [this](session& db) { return purge(db, m_purge, how(), m_stop, m_out); });
    }

    void add_parked() {
        auto* const parked = m_app.add_subcommand("parked", "messages whose delivery failed");
        parked->require_subcommand(1);
        auto* const list = parked->add_subcommand("list", "what is parked, and why");
        list->add_option("subscription", m_filter.subscription, "only of this subscription");
        list->add_option("--service", m_filter.service, "only of this service");
        list->add_option("--state", m_filter.state, "only in this state")
            ->check(CLI::IsMember({"retrying", "waiting", "dead"}));
        list->add_option("--limit", m_filter.limit, "most lines")
            ->check(CLI::Range(1, 100'000))
            ->capture_default_str();
        connected(list, "inspector", [this](session& db) { return parked_list(db, m_filter, how(), m_out); });
        auto* const one = parked->add_subcommand("show", "everything about one message");
        one->add_option("message", m_message, "its id (a UUID)")->required();
        one->add_flag("--payload", m_payload, "its payload, and nothing else (base64 unless it is JSON)");
        connected(one, "inspector", [this](session& db) {
            m_shows_content = m_payload;
            return parked_show(db, m_message, m_payload, how(), m_out);
        });
        auto const choose = [this](CLI::App* app, bool required) {
            app->add_option("subscription", m_choice.subscription, "its subscription")->required();
            app->add_option("message", m_choice.message, "its id (a UUID)")->required(required);
            app->add_option("--service", m_choice.service,
                            "of this service; needed where several have one of that name");
        };
        auto* const redrive =
            parked->add_subcommand("redrive", "try dead messages again: one, or all of a subscription");
        choose(redrive, false);
        connected(redrive, "administrator",
                  [this](session& db) { return parked_redrive(db, m_choice, how(), m_out); });
        auto* const discard = parked->add_subcommand("discard", "give one message up for ever");
        choose(discard, true);
        connected(discard, "administrator",
                  [this](session& db) { return parked_discard(db, m_choice, how(), m_out); });
    }

    void add_subscription() {
        auto* const subscription = m_app.add_subcommand("subscription", "who reads the outbox");
        subscription->require_subcommand(1);
        auto* const list = subscription->add_subcommand("list", "all of them, with what they ask for");
        list->add_option("--service", m_service, "only of this service");
        connected(list, "inspector",
                  [this](session& db) { return subscription_list(db, m_service, how(), m_out); });
        auto const add = [&](char const* name, char const* about) {
            auto* const made = subscription->add_subcommand(name, about);
            made->add_option("subscription", m_subscription.name, "its name")->required();
            made->add_option("--service", m_subscription.service,
                             "of this service; needed where several have one of that name");
            return made;
        };
        connected(add("pause", "hand out no messages for now; they are kept"), "consumer",
                  [this](session& db) { return subscription_pause(db, m_subscription, how(), m_out); });
        connected(add("resume", "go on with one that is paused or has expired"), "administrator",
                  [this](session& db) { return subscription_resume(db, m_subscription, how(), m_out); });
        auto* const drop = add("drop", "end one: its position and its parked messages are gone");
        drop->add_flag("--yes", m_drop, "really do it");
        connected(drop, "consumer", [this](session& db) {
            return subscription_drop(db, m_subscription, m_drop, how(), m_out);
        });
    }

    void add_grant() {
        auto* const rights = m_app.add_subcommand(
            "grant", "print the SQL that gives a login role the rights of a service or of a person");
        rights->add_option("role", m_grant.role, "a role that is there")->required();
        rights->add_option("kind", m_grant.kinds, "what it is to be")
            ->required()
            ->check(CLI::IsMember({"producer", "consumer", "inspector", "administrator"}));
        rights->add_option("--service", m_grant.service,
                           "the service that it acts for, when that is not called like the role");
        rights->add_flag("--apply", m_grant.apply, "run it, too");
        connected(rights, "owner", [this](session& db) { return grant(db, m_grant, how(), m_out); });
    }

    void add_tail() {
        auto* const watch =
            m_app.add_subcommand("tail", "show messages as their transactions commit; leaves no trace");
        watch->add_option("topic", m_tail.topic, "a topic, or a prefix that ends with .* (default: all)");
        watch->add_flag("--payload", m_tail.payload, "with their payloads");
        watch->add_option("-n,--limit", m_tail.limit, "end after so many messages; 0: go on")
            ->capture_default_str();
        connected(
            watch, "administrator", [this](session& db) { return tail(db, m_tail, how(), m_stop, m_out); },
            true);
    }

    void add_relay() {
        auto* const daemon =
            m_app.add_subcommand("relay", "hand the messages of a subscription to a file, a webhook, a "
                                          "broker or another database, until SIGTERM");
        add_relay_options(*daemon, m_relay);
        daemon->callback([this] {
            m_run = [this] {
                complete_target();
                try {
                    return relay(m_target, m_relay, m_stop, m_out, m_err);
                } catch (pqxx::sql_error const& e) {
                    session db{m_target};
                    throw explained(e, db, "consumer");
                }
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
        load->callback([this] {
            m_run = [this] {
                complete_target();
                try {
                    return bench(m_target, m_bench, how(), m_stop, m_out);
                } catch (pqxx::sql_error const& e) {
                    session db{m_target};
                    throw explained(e, db, "owner");
                }
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
    bool m_verbose = false;
    /// What is asked for holds other people's data.
    bool m_shows_content = false;
    bool m_sql = false;
    migrate_up_options m_up;
    migrate_down_options m_down;
    std::optional<int> m_print_from;
    std::optional<int> m_print_to;
    bool m_print_down = false;
    std::optional<std::string> m_stall;
    key_choice m_key;
    std::optional<std::string> m_service;
    subscription_choice m_subscription;
    bool m_drop = false;
    grant_options m_grant;
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
    std::optional<command_line> line;
    auto const fail = [&](int status, std::string_view text, std::string_view raw = {}) {
        err << painted(err, ink::bad, "once:") << ' ' << printable_lines(bare_line(text)) << '\n';
        if (line && line->verbose() && !raw.empty() && raw != text) {
            err << printable_lines(bare_line(raw)) << '\n';
        }
        return status;
    };
    try {
        line.emplace(std::move(stop), out, err);
        int const status = line->run(argc, argv);
        check_output(out);
        return status;
    } catch (failure const& e) {
        return fail(e.status(), e.what(), e.raw());
    } catch (std::invalid_argument const& e) {
        return fail(exit_status::usage, e.what());
    } catch (once::invalid_argument const& e) {
        return fail(exit_status::usage, e.what());
    } catch (not_found const& e) {
        return fail(exit_status::not_found, e.what());
    } catch (pqxx::broken_connection const& e) {
        return fail(exit_status::unreachable, e.what());
    } catch (std::exception const& e) {
        return fail(exit_status::refused, e.what());
    }
}

} // namespace once::command
