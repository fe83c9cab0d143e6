// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "subscriptions.hpp"

#include "exit_status.hpp"
#include "printable.hpp"
#include "queries.hpp"

#include <algorithm>
#include <ostream>

namespace once::command {

namespace {

std::string shown(subscription_choice const& choice, std::optional<std::string> const& service) {
    return "subscription " + choice.name + (service ? " of service " + *service : std::string{});
}

int say(std::ostream& out, format how, char const* name, bool changed, std::string const& text) {
    if (how == format::json) {
        out << json_text({{name, changed}}) << '\n';
    } else {
        out << printable(text) << '\n';
    }
    return exit_status::ok;
}

// A consumer may not read the table of subscriptions, but it may ask why its own stands still.
bool is_expired(session& db, subscription_choice const& choice, std::optional<std::string> const& service) {
    auto const reasons = db.ask(queries::explain_stall, pqxx::params{choice.name, service});
    return std::ranges::any_of(reasons, [](auto const& row) {
        return !row[3].is_null() && row[3].view() == "the subscription is expired";
    });
}

} // namespace

int subscription_list(session& db, std::optional<std::string> const& service, format how, std::ostream& out) {
    print(out, how, db.ask(queries::subscription_list, pqxx::params{service}), "there is no subscription");
    return exit_status::ok;
}

int subscription_pause(session& db, subscription_choice const& choice, format how, std::ostream& out) {
    auto const service = service_of(db, choice.name, choice.service);
    bool const changed =
        db.ask(queries::pause_subscription, pqxx::params{choice.name, true, service})[0][0].as<bool>();
    return say(out, how, "paused", changed,
               shown(choice, service) + (changed ? " is paused: its messages are kept until it is resumed"
                                                 : " was not active; nothing was changed"));
}

int subscription_resume(session& db, subscription_choice const& choice, format how, std::ostream& out) {
    auto const service = service_of(db, choice.name, choice.service);
    if (db.ask(queries::pause_subscription, pqxx::params{choice.name, false, service})[0][0].as<bool>()) {
        return say(out, how, "resumed", true, shown(choice, service) + " goes on");
    }
    if (!is_expired(db, choice, service)) {
        return say(out, how, "resumed", false, shown(choice, service) + " was active already");
    }
    bool const changed = db.ask(queries::resume_expired, pqxx::params{choice.name, service})[0][0].as<bool>();
    return say(out, how, "resumed", changed,
               shown(choice, service) +
                   " had expired and goes on; messages that were removed meanwhile it will never see");
}

int subscription_drop(session& db, subscription_choice const& choice, bool yes, format how,
                      std::ostream& out) {
    auto const service = service_of(db, choice.name, choice.service);
    if (!yes) {
        throw std::invalid_argument{
            "this drops " + shown(choice, service) +
            " with its position and its parked messages; what it has not delivered it never will. "
            "Give --yes to do it"};
    }
    if (!db.ask(queries::unsubscribe, pqxx::params{choice.name, service})[0][0].as<bool>()) {
        throw not_found{"there is no " + shown(choice, service)};
    }
    return say(out, how, "dropped", true, shown(choice, service) + " is gone");
}

} // namespace once::command
