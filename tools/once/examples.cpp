// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "examples.hpp"

#include "help.hpp"

#include <map>
#include <string>
#include <string_view>

namespace once::command {

namespace {

// What stands at the end of the help of a command, in lines of 80. A test runs each line that begins with "  once".
// More than 60 lines: a table.
std::map<std::string_view, std::string_view> const& footers() {
    static std::map<std::string_view, std::string_view> const all{
        {"once", R"(Examples:
  once -d dbname=shop migrate up --create-schema
  once status
  once why billing

Exit status: 0 all well, 1 something found, 2 wrong use, 3 database not reached,
4 refused, 5 not there, 6 output not taken. once help COMMAND tells more; so
does the manual page, once(1).)"},
        {"once migrate", R"(Examples:
  once migrate up --create-schema
  once migrate status)"},
        {"once migrate up", R"(Examples:
  once migrate up --dry-run
  once migrate up --create-schema
  once --schema billing migrate up --create-schema)"},
        {"once migrate down", R"(Examples:
  once migrate down --to 0 --dry-run
  once migrate down --to 0 --yes)"},
        {"once migrate status", R"(Examples:
  once migrate status
  once migrate status --json)"},
        {"once migrate print", R"(Examples:
  once migrate print
  once migrate print --from 15)"},
        {"once status", R"(Examples:
  once status
  once -d 'host=db1 dbname=shop' status --json)"},
        {"once why", R"(Examples:
  once why
  once why billing
  once why billing --service shop
  once why --key 7f3c --scope 'POST /orders alice')"},
        {"once doctor", R"(Examples:
  once doctor
  once doctor --sql)"},
        {"once metrics", R"(Examples:
  once metrics
  once metrics --listen 127.0.0.1:9187)"},
        {"once request", R"(Example:
  once request show 7f3c)"},
        {"once request show", R"(Examples:
  once request show 7f3c
  once request show 7f3c --scope 'POST /orders alice' --response)"},
        {"once purge", R"(Examples:
  once purge
  once purge --keep '7 days'
  once purge --only tokens --only leases)"},
        {"once parked", R"(Examples:
  once parked list --state dead
  once parked redrive billing)"},
        {"once parked list", R"(Examples:
  once parked list
  once parked list billing --state dead --json)"},
        {"once parked show", R"(Examples:
  once parked show 018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44
  once parked show 018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44 --payload)"},
        {"once parked redrive", R"(Examples:
  once parked redrive billing
  once parked redrive billing 018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44
  once parked redrive billing --service shop)"},
        {"once parked discard", R"(Example:
  once parked discard billing 018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44)"},
        {"once subscription", R"(Examples:
  once subscription list
  once subscription pause billing)"},
        {"once subscription list", R"(Examples:
  once subscription list
  once subscription list --service shop)"},
        {"once subscription pause", R"(Examples:
  once subscription pause billing
  once subscription pause billing --service shop)"},
        {"once subscription resume", R"(Examples:
  once subscription resume billing
  once subscription resume billing --service shop)"},
        {"once subscription drop", R"(Example:
  once subscription drop billing --yes)"},
        {"once grant", R"(Examples:
  once grant shop_app producer consumer
  once grant shop_app producer --apply
  once grant shop_app_2 producer --service shop --apply
  once grant alice inspector)"},
        {"once tail", R"(Examples:
  once tail
  once tail 'orders.*' --payload
  once tail -n 10 --json)"},
        {"once relay", R"(Each option is also a key of the section [relay] in the file of --config, and a
variable ONCE_RELAY_..., in capitals. The command line wins over the variable,
and that over the file. Secrets: only in a variable, or in a file of their own.

Examples:
  once relay billing --to jsonl --file /var/lib/once/billing.jsonl
  once relay billing --to webhook --url https://shop.example/hook
  once relay billing --to kafka --url kafka1:9092,kafka2:9092
  once relay billing --to nats --url nats://nats1,nats://nats2 --stream ORDERS
  once relay billing --to rabbitmq --url amqp://rabbit1/shop --exchange orders
  once relay billing --to redis --url redis://redis1 --make-streams
  once relay billing --to jsonl --until-idle)"},
        {"once bench", R"(It works in a schema of its own, and drops it in the end, also when it is
stopped. wal_bytes counts what the whole server wrote meanwhile.

Examples:
  once bench
  once bench --yes --seconds 2 --connections 8)"},
        {"once completion", R"bash(Example:
  eval "$(once completion)")bash"},
    };
    return all;
}

} // namespace

void add_examples(CLI::App& app) {
    if (auto const found = footers().find(path_of(app)); found != footers().end()) {
        app.footer(std::string{found->second});
    }
    for (auto* const one : app.get_subcommands([](CLI::App*) { return true; })) {
        add_examples(*one);
    }
}

} // namespace once::command
