// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/relay.hpp"

#include <once/error.hpp>

#include "conninfo.hpp"
#include "exit_status.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "relay/noting_publisher.hpp"
#include "relay/pages.hpp"
#include "relay/publishers.hpp"
#include "relay/slices.hpp"
#include "screen.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/except>

#include <algorithm>
#include <exception>
#include <thread>

namespace once::command {

namespace {

// The library names its fields; people know the options, which are called the same.
[[noreturn]] void refuse(once::invalid_argument const& e) {
    auto option = e.field().substr(e.field().rfind('.') + 1);
    std::ranges::replace(option, '_', '-');
    std::string const text = e.what();
    auto const why = text.find(e.field() + ": ");
    if (option == "secrets") {
        option = "secret-file (or ONCE_RELAY_SECRET)";
    } else if (option == "headers") {
        option = "headers-file";
    } else if (option == "sql") {
        option = "statement";
    } else if (option == "conninfo") {
        option = "database, --target, --target-file or ONCE_RELAY_TARGET";
    } else if (option == "schema") {
        option = "target-schema";
    } else if (option == "path") {
        option = "file";
    }
    throw std::invalid_argument{"--" + option + ": " +
                                (why == std::string::npos ? text : text.substr(why + e.field().size() + 2))};
}

nlohmann::ordered_json as_fields(relay_numbers::totals const& sum) {
    return {
        {"accepted", sum.accepted}, {"retry", sum.retry}, {"rejected", sum.rejected}, {"behind", sum.behind}};
}

// One relay: its slices, each with a thread, a publisher and a connection.
class relay_process {
public:
    relay_process(target const& where, relay_settings const& settings, std::ostream& out,
                  event_log const& log)
        : m_settings{settings},
          m_out{out},
          m_log{log},
          m_where{
              with_default(where.conninfo, "application_name", "PGAPPNAME",
                           settings.worker.empty() ? "once relay " + settings.subscription : settings.worker),
              where.schema},
          m_numbers{settings.subscription},
          m_database{m_where.conninfo,
                     {.schema = where.schema,
                      .max_connections = most_slices + 1, // each slice keeps one
                      .prepared_statements = !settings.no_prepared_statements,
                      .log = [this](std::string_view line) { note("database", line); }}},
          m_destination{
              make_destination(settings, out, [this](std::string_view line) { note("target", line); })} {
        validate(to_options(settings, 0));
    }

    int run(std::stop_token const& stop) {
        check_database();
        m_destination->check();
        auto const slices = find_slices(stop);
        for (int const slice : slices) {
            m_numbers.begin(slice);
        }
        if (m_settings.listen) {
            m_server = std::make_unique<http_server>(*m_settings.listen);
            add_pages(*m_server, m_where, m_settings.subscription, m_numbers);
            m_server->start();
        }
        nlohmann::ordered_json started{{"to", m_settings.to}, {"slices", slices}};
        started[m_settings.to == "jsonl"      ? "file"
                : m_settings.to == "postgres" ? "target"
                                              : "url"] = m_destination->place();
        if (m_server) {
            started["listen"] = m_server->url();
        }
        m_log.info("started", with_place(started));
        work(slices, stop);
        auto const sum = m_numbers.sum();
        if (m_failure) {
            std::rethrow_exception(m_failure);
        }
        m_log.info("stopped", with_place(as_fields(sum)));
        if (m_destination->is_lost()) {
            throw output_lost(m_out);
        }
        bool const all_well = sum.retry + sum.rejected + sum.behind == 0 && !sum.unavailable && !sum.stuck;
        return m_settings.until_idle && !all_well ? exit_status::found : exit_status::ok;
    }

private:
    [[nodiscard]] nlohmann::ordered_json with_place(nlohmann::ordered_json const& fields = {},
                                                    std::optional<int> slice = {}) const {
        nlohmann::ordered_json made{{"subscription", m_settings.subscription}};
        if (slice) {
            made["slice"] = *slice;
        }
        if (!fields.is_null()) {
            made.update(fields);
        }
        return made;
    }

    void check_database() {
        try {
            m_database.check();
        } catch (pqxx::broken_connection const& e) {
            throw explain_no_connection(e.what(), place_of(m_where.conninfo));
        }
    }

    void note(char const* event, std::string_view line) const {
        m_log.warn(event, with_place({{"message", bare_line(line)}}));
    }

    std::vector<int> find_slices(std::stop_token const& stop) {
        auto const all = count_slices(m_where, m_settings.subscription, stop,
                                      [this](std::string_view why) { note("waiting", why); });
        std::vector<int> made = m_settings.slices;
        for (int const slice : made) {
            if (slice >= all) {
                throw std::invalid_argument{"--slice " + std::to_string(slice) + ": subscription " +
                                            m_settings.subscription + " has the slices 0 to " +
                                            std::to_string(all - 1)};
            }
        }
        for (int slice = 0; m_settings.slices.empty() && slice < all; ++slice) {
            made.push_back(slice);
        }
        std::ranges::sort(made);
        made.erase(std::ranges::unique(made).begin(), made.end());
        return made;
    }

    void note_refused(int slice, delivery const& message, publish_answer const& answer) const {
        m_log.warn("refused", with_place({{"id", message.id.to_string()},
                                          {"key", message.key},
                                          {"topic", message.topic},
                                          {"result", to_string(answer.result)},
                                          {"attempt", message.attempt},
                                          {"message", answer.error}},
                                         slice));
    }

    void observe(int slice, relay_summary const& round) {
        m_numbers.add(slice, round);
        if (round.retried + round.rejected > 0) {
            m_log.warn("not accepted",
                       with_place({{"retry", round.retried}, {"rejected", round.rejected}}, slice));
        }
        if (m_settings.verbose) {
            m_log.info("batch", with_place({{"accepted", round.accepted},
                                            {"behind", round.behind},
                                            {"milliseconds", round.published_for.count()}},
                                           slice));
        }
    }

    void work(std::vector<int> const& slices, std::stop_token const& stop) {
        std::stop_source ending;
        std::stop_callback const passed_on{stop, [&] {
                                               m_log.info("stopping", with_place());
                                               ending.request_stop();
                                           }};
        std::stop_callback const unread{screen_of(m_out).reader_gone, [&] { end_when_lost(ending); }};
        std::vector<std::jthread> threads;
        threads.reserve(slices.size());
        for (int const slice : slices) {
            threads.emplace_back([this, slice, ending]() mutable {
                try {
                    work_on(slice, ending);
                } catch (...) {
                    std::lock_guard const lock{m_mutex};
                    m_failure = m_failure ? m_failure : std::current_exception();
                    ending.request_stop();
                }
            });
        }
        threads.clear(); // joined
    }

    // Nothing that is written reaches anybody any more: no pause will help.
    void end_when_lost(std::stop_source& ending) {
        if (m_destination->is_lost() && ending.request_stop()) {
            m_log.warn("stopping", with_place({{"message", output_lost(m_out).what()}}));
        }
    }

    void work_on(int slice, std::stop_source& ending) {
        auto const stop = ending.get_token();
        noting_publisher publisher{m_destination->make_publisher(),
                                   [this, slice](delivery const& message, publish_answer const& answer) {
                                       note_refused(slice, message, answer);
                                   }};
        auto options = to_options(m_settings, slice);
        options.log = [this, slice](std::string_view line) {
            m_log.warn("relay", with_place({{"message", bare_line(line)}}, slice));
        };
        options.observer = [this, slice, &ending](relay_summary const& round) {
            observe(slice, round);
            end_when_lost(ending);
        };
        once::relay worker{m_database, m_settings.subscription, publisher, options};
        if (!m_settings.until_idle) {
            worker.run(stop);
            return;
        }
        // Calls that were too much get smaller, so it is not over with the first one.
        constexpr int most_stuck = 8;
        int stuck = 0;
        for (bool more = true; more && !stop.stop_requested();) {
            auto const round = worker.run_once();
            if (!round.active) {
                m_log.info("standby", with_place({{"message", "another relay has this slice"}}, slice));
            }
            if (round.unavailable) {
                m_log.warn("unavailable", with_place({{"message", *round.unavailable}}, slice));
            } else if (round.stuck) {
                m_log.warn("stuck", with_place({{"message", *round.stuck}}, slice));
            }
            stuck = round.stuck ? stuck + 1 : 0;
            more = !round.idle() && !round.unavailable && stuck < most_stuck;
        }
    }

    relay_settings const& m_settings;
    std::ostream& m_out;
    event_log const& m_log;
    target m_where;
    relay_numbers m_numbers;
    database m_database;
    std::unique_ptr<destination> m_destination;
    std::unique_ptr<http_server> m_server;
    std::mutex m_mutex;
    std::exception_ptr m_failure;
};

} // namespace

relay_options to_options(relay_settings const& settings, int slice) {
    auto made = settings.options;
    made.reader.slice = slice;
    made.reader.listen = !settings.poll;
    made.durable_checkpoints = !settings.async_checkpoints;
    return made;
}

int relay(target const& where, relay_settings const& settings, std::stop_token const& stop, std::ostream& out,
          std::ostream& err) {
    event_log const log{err, settings.log};
    try {
        return relay_process{where, settings, out, log}.run(stop);
    } catch (once::invalid_argument const& e) {
        refuse(e);
    } catch (pqxx::sql_error const& e) {
        if (std::string_view{e.sqlstate()} == "ON060") {
            throw not_found{
                "there is no subscription \"" + settings.subscription +
                "\" of the service that is connected: make it with subscribe(), or connect as the role "
                "of its service"};
        }
        throw;
    }
}

} // namespace once::command
