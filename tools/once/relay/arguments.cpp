// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "relay/arguments.hpp"

#include "config_file.hpp"
#include "relay/slices.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

namespace once::command {

namespace {

using std::chrono::milliseconds;

constexpr std::array<std::pair<char const*, milliseconds::rep>, 5> units{
    {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

// 15s, 250 ms, 1.5h
milliseconds read_time_span(std::string const& option, std::string const& text) {
    double number = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string const digits{text.data(), read.ptr};
    if (read.ec != std::errc{} || number < 0 || !std::isfinite(number)) {
        throw CLI::ValidationError{option, "give a number with a unit, for example 15s or 250ms"};
    }
    std::string const unit{text.substr(std::min(text.find_first_not_of(' ', digits.size()), text.size()))};
    if (unit.empty()) {
        throw CLI::ValidationError{option, digits + " of what? Give the unit, too, for example " + digits +
                                               "s (ms, s, min, h, d)"};
    }
    for (auto const& [name, factor] : units) {
        if (unit == name) {
            auto const made = number * static_cast<double>(factor);
            if (made > 1e15) {
                break;
            }
            return milliseconds{static_cast<milliseconds::rep>(std::llround(made))};
        }
    }
    throw CLI::ValidationError{option, "the unit is ms, s, min, h or d: for example " + digits + "s"};
}

// Adds options of one group; what they take is told by the type of the variable.
class option_group {
public:
    option_group(CLI::App& app, std::string name) : m_app{app}, m_name{std::move(name)} {}

    template <class Value>
    CLI::Option* add(std::string const& name, Value& value, std::string const& text) {
        return m_app.add_option("--" + name, value, text)->group(m_name)->capture_default_str();
    }
    CLI::Option* add(std::string const& name, bool& value, std::string const& text) {
        return m_app.add_flag("--" + name, value, text)->group(m_name);
    }
    CLI::Option* add_text(std::string const& name, std::string& value, std::string const& text) {
        return m_app.add_option("--" + name, value, text)->group(m_name);
    }
    void add_time(std::string const& name, milliseconds& value, std::string const& text) {
        m_app
            .add_option_function<std::string>(
                "--" + name,
                [&value, name](std::string const& given) { value = read_time_span("--" + name, given); },
                text + " (default: " + shown(value.count()) + ")")
            ->group(m_name)
            ->type_name("TIME");
    }

private:
    static std::string shown(milliseconds::rep value) {
        return value == 0 || value % 1'000 != 0 ? std::to_string(value) + "ms"
               : value % 86'400'000 == 0        ? std::to_string(value / 86'400'000) + "d"
               : value % 3'600'000 == 0         ? std::to_string(value / 3'600'000) + "h"
               : value % 60'000 == 0            ? std::to_string(value / 60'000) + "min"
                                                : std::to_string(value / 1'000) + "s";
    }

    CLI::App& m_app;
    std::string m_name;
};

void add_work(CLI::App& app, relay_settings& s) {
    option_group of{app, "What to relay, and where to"};
    app.add_option("subscription,--subscription", s.subscription, "the subscription to read")
        ->group("What to relay, and where to")
        ->required();
    of.add("to", s.to, "where messages go")
        ->required()
        ->check(CLI::IsMember({"jsonl", "webhook", "postgres", "kafka", "nats", "rabbitmq", "redis"}));
    of.add("slice", s.slices, "only this slice; may be repeated (default: all)")
        ->check(CLI::Range(0, most_slices - 1));
    of.add("until-idle", s.until_idle,
           "end when nothing is left to deliver now (exit status 1 when something was not accepted)");
    of.add("listen", s.listen,
           "serve /metrics, /healthz and /readyz at HOST:PORT, for example 127.0.0.1:9188");
    of.add("log", s.log, "form of the lines on standard error")
        ->type_name("FORM")
        ->default_str("text")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, log_form>{{"text", log_form::text}, {"json", log_form::json}}));
    of.add("verbose", s.verbose, "also a line for each batch");
}

void add_reading(CLI::App& app, relay_settings& s) {
    option_group of{app, "Reading"};
    of.add("batch-messages", s.options.reader.batch_messages,
           "most messages of one batch, and of one checkpoint");
    of.add("batch-bytes", s.options.reader.batch_bytes, "a batch has no more bytes of payload and headers");
    of.add_time("gather", s.options.reader.gather, "how long messages may gather while they stream");
    of.add_time("lease", s.options.reader.lease, "how long others wait for a relay that died");
    of.add_text("worker", s.worker, "name of this relay in the lease and in pg_stat_activity");
    of.add("poll", s.poll, "do not LISTEN: behind a pooler in transaction mode");
    of.add("no-prepared-statements", s.no_prepared_statements, "behind a pooler that does not track them");
    of.add_time("longest-sleep", s.options.reader.longest_sleep, "longest sleep between two looks");
    of.add_time("longest-poll", s.options.reader.longest_poll,
                "longest pause where it has to ask again and again");
    of.add_time("reply-timeout", s.options.reader.reply_timeout, "longest silence of the database");
    of.add_time("checkpoint-every", s.options.checkpoint_every, "a checkpoint at the latest after so long");
    of.add("async-checkpoints", s.async_checkpoints,
           "checkpoints with synchronous_commit off: faster, and a crash of the server repeats the last half "
           "second");
}

void add_publishing(CLI::App& app, relay_settings& s) {
    option_group of{app, "Publishing"};
    of.add("publish-messages", s.options.publish_messages, "most messages that the publisher gets at once");
    of.add_time("publish-timeout", s.options.publish_timeout,
                "for one call of the publisher, at most half of the lease; 0ms: two fifths of it");
    of.add_time("pause-base", s.options.pause_base,
                "first pause when the receiver is unavailable; it doubles");
    of.add_time("pause-cap", s.options.pause_cap, "longest such pause");
}

void add_jsonl(CLI::App& app, jsonl_settings& s) {
    option_group of{app, "--to jsonl"};
    of.add("file", s.file, "append to this file; - is standard output; SIGHUP opens it anew");
    of.add("no-fsync", s.no_fsync, "a message counts as delivered before fsync");
}

void add_receiver(CLI::App& app, receiver_settings& s) {
    option_group of{app, "--to webhook and brokers"};
    of.add_text(
        "url", s.url,
        "the receiver, or servers of a broker, separated by commas; one with a secret in it belongs in "
        "ONCE_RELAY_URL");
    of.add("form", s.form, "form of a message, the last two as CloudEvents")
        ->check(CLI::IsMember({"plain", "binary", "structured"}));
    of.add_text("source", s.source, "source of CloudEvents (default: / and the service)");
    of.add_text("type-prefix", s.type_prefix, "goes in front of the topic in the type of CloudEvents");
    of.add_time("connect-timeout", s.connect_timeout, "for a connection to be made");
    of.add_text("ca-file", s.ca_file, "certificates to trust, PEM");
}

void add_webhook(CLI::App& app, webhook_settings& s) {
    option_group of{app, "--to webhook"};
    of.add_text("secret-file", s.secret_file,
                "secrets to sign with, whsec_..., one a line (or $ONCE_RELAY_SECRET, separated by spaces)");
    of.add_text("headers-file", s.headers_file,
                "a file with headers for each request, one a line: Name: value");
    of.add("parallel", s.parallel, "requests under way at once; never two of one key");
    of.add_time("request-timeout", s.request_timeout, "for one request");
    of.add_time("max-retry-after", s.max_retry_after, "a longer Retry-After counts as this");
    of.add("conflict-is-accepted", s.conflict_is_accepted, "409 and 422 say: I have it already");
    of.add("public-addresses-only", s.public_addresses_only,
           "refuse loopback, private and link-local addresses");
    of.add_text("proxy", s.proxy, "a proxy, as libcurl takes it");
}

void add_brokers(CLI::App& app, broker_settings& s) {
    option_group of{app, "--to kafka, nats, rabbitmq, redis"};
    of.add_text("name", s.name,
                "where a message goes, with {topic}, {service} and {subscription} in it (default: {topic})");
    of.add("topic-map", s.topic_map, "PATTERN=NAME: another name for some topics; may be repeated")
        ->default_str("");
    of.add_text("user", s.user, "who it is that publishes");
    of.add_text("password-file", s.password_file, "a file with the password (or $ONCE_RELAY_PASSWORD)");
    of.add("tls", s.tls, "TLS, also where the URL does not say so; --ca-file turns it on, too");
    of.add_text("certificate-file", s.certificate_file, "a certificate of one's own, PEM");
    of.add_text("key-file", s.key_file, "the key to it");
}

void add_kafka(CLI::App& app, kafka_settings& s) {
    option_group of{app, "--to kafka"};
    of.add_text("properties-file", s.properties_file, "properties of librdkafka, NAME=VALUE, one a line");
}

void add_nats(CLI::App& app, nats_settings& s) {
    option_group of{app, "--to nats"};
    of.add_text("stream", s.stream,
                "the stream that has to take the messages (default: that of the subject)");
    of.add("no-deduplication", s.no_deduplication, "send no Nats-Msg-Id");
    of.add_text("credentials-file", s.credentials_file, "a user's JWT and seed, as nsc writes them");
}

void add_rabbitmq(CLI::App& app, rabbitmq_settings& s) {
    option_group of{app, "--to rabbitmq"};
    of.add_text("exchange", s.exchange, "the exchange (default: that where a routing key is a queue)");
    of.add("allow-unroutable", s.allow_unroutable, "what no queue gets counts as accepted, and is lost");
}

void add_redis(CLI::App& app, redis_settings& s) {
    option_group of{app, "--to redis"};
    of.add("make-streams", s.make_streams, "a stream that is not there is made by its first message");
    of.add("max-length", s.max_length, "cut streams to about so many entries, read or not; 0: never")
        ->check(CLI::NonNegativeNumber);
    of.add("wait-replicas", s.wait_replicas, "how many replicas must have a message before it counts");
}

void add_postgres(CLI::App& app, postgres_settings& s) {
    option_group of{app, "--to postgres"};
    of.add_text("target", s.target,
                "connection string of the other database; one with a password belongs in ONCE_RELAY_TARGET");
    of.add_text("target-file", s.target_file, "a file that holds it, with or without a password");
    of.add("target-schema", s.target_schema, "schema of the library there");
    of.add_text("statement", s.statement,
                "run once for each message, in the transaction of the inbox: insert into ... select ... from "
                "message");
    of.add_text("statement-file", s.statement_file, "a file that holds it");
    of.add_text("consumer", s.consumer, "name in the inbox (default: the subscription)");
    of.add_time("retention", s.retention, "how long the inbox remembers a message");
}

} // namespace

void add_relay_options(CLI::App& app, relay_settings& settings) {
    add_work(app, settings);
    add_reading(app, settings);
    add_publishing(app, settings);
    add_jsonl(app, settings.jsonl);
    add_receiver(app, settings.receiver);
    add_webhook(app, settings.webhook);
    add_brokers(app, settings.broker);
    add_kafka(app, settings.kafka);
    add_nats(app, settings.nats);
    add_rabbitmq(app, settings.rabbitmq);
    add_redis(app, settings.redis);
    add_postgres(app, settings.postgres);
    add_variables(app, "ONCE_RELAY_");
}

} // namespace once::command
