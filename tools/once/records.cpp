// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "records.hpp"

#include <once/message_id.hpp>

#include "exit_status.hpp"
#include "queries.hpp"
#include "screen.hpp"

#include <ostream>

namespace once::command {

namespace {

void say(std::ostream& out, format how, std::string const& name, long long number, std::string const& text) {
    if (how == format::json) {
        out << json_text({{name, number}}) << '\n';
    } else {
        out << text << '\n';
    }
}

void check_message_id(std::string const& text) {
    if (!message_id::try_parse(text)) {
        throw std::invalid_argument{"a message is named by its id, a UUID like "
                                    "018f4a2e-6c1d-7b3a-9d52-3f1c7a9e0b44: once parked list shows it"};
    }
}

std::string place(std::string const& subscription, std::optional<std::string> const& service) {
    return "subscription " + subscription + (service ? " of service " + *service : std::string{});
}

} // namespace

int request_show(session& db, request_options const& options, format how, std::ostream& out) {
    auto const rows =
        db.ask(options.response ? queries::records_of_key : queries::records_of_key_without_response,
               pqxx::params{options.key, options.scope});
    if (rows.empty() && how == format::table) {
        throw not_found{"no record of this key" + (options.scope ? " in this scope" : std::string{}) +
                        ": it was never claimed, its transaction did not commit, or it was purged"};
    }
    if (how == format::json) {
        print_json(out, to_json(rows));
    } else {
        print_records(out, rows);
    }
    return rows.empty() ? exit_status::not_found : exit_status::ok;
}

int parked_list(session& db, parked_filter const& filter, format how, std::ostream& out) {
    auto const rows = db.ask(queries::parked_list,
                             pqxx::params{filter.subscription, filter.state, filter.limit, filter.service});
    if (rows.empty() && filter.subscription) {
        static_cast<void>(service_of(db, *filter.subscription, filter.service)); // it is there
    }
    print(out, how, rows, "nothing is parked");
    return exit_status::ok;
}

int parked_show(session& db, std::string const& message, bool payload, format how, std::ostream& out) {
    check_message_id(message);
    bool const all = db.ask(queries::may_read_payloads)[0][0].as<bool>();
    auto const rows = db.ask(all ? queries::parked_show : queries::parked_show_state, pqxx::params{message});
    if (rows.empty()) {
        throw not_found{"message " + message + " is not parked"};
    }
    if (payload) {
        print_raw(out, db.ask(queries::parked_show_payload, pqxx::params{message})[0][0].view());
        out << '\n';
    } else if (how == format::json) {
        print_json(out, to_json(rows));
    } else {
        print_records(out, rows);
    }
    return exit_status::ok;
}

int parked_redrive(session& db, parked_choice const& choice, format how, std::ostream& out) {
    if (choice.message) {
        check_message_id(*choice.message);
    }
    auto const service = service_of(db, choice.subscription, choice.service);
    auto const count =
        db.ask(queries::redrive, pqxx::params{choice.subscription, choice.message, service})[0][0].as<int>();
    if (count == 0) {
        throw not_found{"no dead message" + (choice.message ? " " + *choice.message : std::string{}) +
                        " to redrive in " + place(choice.subscription, service)};
    }
    say(out, how, "redriven", count,
        std::to_string(count) + (count == 1 ? " message" : " messages") + " will be tried again");
    return exit_status::ok;
}

int parked_discard(session& db, parked_choice const& choice, format how, std::ostream& out) {
    check_message_id(choice.message.value_or(""));
    auto const service = service_of(db, choice.subscription, choice.service);
    bool const found =
        db.ask(queries::discard, pqxx::params{choice.subscription, choice.message, service})[0][0].as<bool>();
    if (!found) {
        throw not_found{"message " + choice.message.value_or("") + " is not parked in " +
                        place(choice.subscription, service)};
    }
    say(out, how, "discarded", 1, "1 message discarded: it will never be delivered to this subscription");
    return exit_status::ok;
}

} // namespace once::command
