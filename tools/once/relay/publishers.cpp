// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/publishers.hpp"

#include <once/error.hpp>
#include <once/json_lines_publisher.hpp>
#include <once/postgres_publisher.hpp>

#include "conninfo.hpp"
#include "environment.hpp"
#include "failure.hpp"
#include "printable.hpp"
#include "relay/secrets.hpp"
#include "relay/slices.hpp"
#include "screen.hpp"
#include "signals.hpp"

#include <pqxx/except>

#include <atomic>
#include <sstream>

namespace once::command {

destination::~destination() = default;

namespace {

using time_point = std::chrono::steady_clock::time_point;

// Standard output: slices take turns, because a stream is for one thread. A stream that has failed takes nothing any
// more.
class stream_publisher final : public publisher {
public:
    stream_publisher(std::ostream& out, std::mutex& turn, std::atomic<bool>& lost)
        : m_out{out}, m_turn{turn}, m_lost{lost} {}
    publish_report publish(std::span<delivery const> messages, time_point deadline) override {
        std::lock_guard const lock{m_turn};
        auto report = screen_of(m_out).terminal ? publish_to_terminal(messages, deadline)
                                                : m_lines.publish(messages, deadline);
        m_lost = !m_out;
        return report;
    }

private:
    // The same JSON; what a terminal must not get is escaped in its strings.
    publish_report publish_to_terminal(std::span<delivery const> messages, time_point deadline) {
        std::ostringstream lines;
        auto report = json_lines_publisher{lines}.publish(messages, deadline);
        m_out << printable_json(lines.str()) << std::flush;
        return report;
    }

    std::ostream& m_out;
    json_lines_publisher m_lines{m_out};
    std::mutex& m_turn;
    std::atomic<bool>& m_lost;
};

class stream_destination final : public destination {
public:
    explicit stream_destination(std::ostream& out) : m_out{out} {}
    [[nodiscard]] std::string place() const override { return "standard output"; }
    [[nodiscard]] bool is_lost() const override {
        return m_lost || screen_of(m_out).reader_gone.stop_requested();
    }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<stream_publisher>(m_out, m_turn, m_lost);
    }

private:
    std::ostream& m_out;
    std::mutex m_turn;
    std::atomic<bool> m_lost = false;
};

class file_publisher final : public publisher {
public:
    file_publisher(std::string const& path, json_lines_options options) : m_lines{path, options} {}
    publish_report publish(std::span<delivery const> messages, time_point deadline) override {
        if (auto const now = hangup::count.load(); now != m_seen) {
            m_seen = now;
            m_lines.reopen();
        }
        return m_lines.publish(messages, deadline);
    }

private:
    json_lines_publisher m_lines;
    unsigned m_seen = hangup::count;
};

class file_destination final : public destination {
public:
    explicit file_destination(jsonl_settings const& settings) : m_path{settings.file} {
        m_options.flush = settings.no_fsync ? json_lines_options::durability::none
                                            : json_lines_options::durability::each_batch;
        static_cast<void>(json_lines_publisher{m_path, m_options}); // looks at the path
        hangup::reopens_file = true;
    }
    ~file_destination() override { hangup::reopens_file = false; }
    file_destination(file_destination const&) = delete;
    file_destination& operator=(file_destination const&) = delete;
    [[nodiscard]] std::string place() const override { return m_path; }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<file_publisher>(m_path, m_options);
    }

private:
    std::string m_path;
    json_lines_options m_options;
};

std::string target_of(postgres_settings const& settings) {
    if (!settings.target_file.empty()) {
        return read_secret_file("target-file", settings.target_file);
    }
    if (settings.target.empty()) {
        throw std::invalid_argument{
            "--to postgres: which database? Give --target, --target-file or ONCE_RELAY_TARGET"};
    }
    if (variable("ONCE_RELAY_TARGET") != settings.target) {
        refuse_password(settings.target, "--target");
    }
    return settings.target;
}

std::string statement_of(postgres_settings const& settings) {
    if (settings.statement.empty() == settings.statement_file.empty()) {
        throw std::invalid_argument{"--to postgres: what to do with a message? Give one of --statement and "
                                    "--statement-file"};
    }
    return settings.statement.empty() ? read_text_file("statement-file", settings.statement_file)
                                      : settings.statement;
}

class postgres_destination final : public destination {
public:
    postgres_destination(relay_settings const& settings, std::function<void(std::string_view)> log)
        : m_log{std::move(log)},
          m_place{place_of(target_of(settings.postgres))},
          m_target{target_of(settings.postgres),
                   {.schema = settings.postgres.target_schema,
                    .max_connections = most_slices,
                    .prepared_statements = !settings.no_prepared_statements,
                    .log = m_log}},
          m_options{.consumer = settings.postgres.consumer.empty() ? settings.subscription
                                                                   : settings.postgres.consumer,
                    .sql = statement_of(settings.postgres),
                    .retention = settings.postgres.retention} {
        static_cast<void>(postgres_publisher{m_target, m_options}); // looks at the options
    }

    void check() override {
        try {
            m_target.check();
            check_statement();
        } catch (pqxx::broken_connection const& e) {
            m_log("the target database was not reached, it will be tried again: " +
                  std::string{explain_no_connection(e.what(), place()).what()});
        }
    }
    [[nodiscard]] std::string place() const override { return m_place; }
    std::unique_ptr<publisher> make_publisher() override {
        return std::make_unique<postgres_publisher>(m_target, m_options);
    }

private:
    void check_statement() {
        try {
            postgres_publisher{m_target, m_options}.check();
        } catch (configuration_error const& e) {
            throw std::invalid_argument{std::string{"--statement: "} + e.what()};
        }
    }

    std::function<void(std::string_view)> m_log;
    std::string m_place;
    database m_target;
    postgres_publisher_options m_options;
};

} // namespace

std::unique_ptr<destination> make_destination(relay_settings const& settings, std::ostream& out,
                                              std::function<void(std::string_view)> log) {
    if (settings.to == "webhook") {
        return make_webhook(settings);
    }
    if (settings.to == "kafka") {
        return make_kafka(settings, std::move(log));
    }
    if (settings.to == "nats") {
        return make_nats(settings, std::move(log));
    }
    if (settings.to == "rabbitmq") {
        return make_rabbitmq(settings, std::move(log));
    }
    if (settings.to == "redis") {
        return make_redis(settings, std::move(log));
    }
    if (settings.to == "postgres") {
        return std::make_unique<postgres_destination>(settings, std::move(log));
    }
    if (settings.jsonl.file == "-") {
        return std::make_unique<stream_destination>(out);
    }
    return std::make_unique<file_destination>(settings.jsonl);
}

} // namespace once::command
