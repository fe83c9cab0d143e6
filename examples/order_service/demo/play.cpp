// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "play.hpp"

#include "billing.hpp"
#include "checks.hpp"
#include "client_events.hpp"
#include "daemons.hpp"
#include "deliveries.hpp"
#include "faults.hpp"
#include "interruption.hpp"
#include "place.hpp"
#include "report.hpp"
#include "workers.hpp"

#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <unistd.h>

namespace demo {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr char const* nothing_waits =
    "select not exists (select from once.subscription_lag where messages > 0) "
    "and not exists (select from once.parked_message)";

class stage {
public:
    explicit stage(play_options const& options)
        : m_options{options},
          m_random{options.seed},
          m_place{options.server_dsn},
          m_faults{m_place, options.seed},
          m_clients{m_heard},
          m_services{m_heard},
          m_watching{m_place.dsn() + " application_name=watching"} {}

    int run() {
        std::cout << "  database " << m_place.name() << " is ready\n\n" << std::flush;
        auto const numbers = set_up();
        start_services();
        start_clients(numbers);
        storm();
        wait_for_clients();
        wait_for_deliveries();
        m_services.stop(60s);
        if (m_terminal) {
            std::cout << "\r\x1b[K" << std::flush;
        }
        print_requests(m_heard, m_place.dsn());
        print_messages(m_place.dsn(), can_send_webhooks());
        print_faults(m_clients, m_services, m_faults);
        return print_checks();
    }

private:
    // The subscriptions, and two orders that the clerks will write into, placed like any other.
    std::vector<std::string> set_up() {
        once::database db{m_place.dsn() + " application_name=desk"};
        db.check();
        billing::subscribe(db);
        if (can_send_webhooks()) {
            deliveries::subscribe(db);
        }
        std::vector<std::string> numbers;
        for (int i = 1; i <= 2; ++i) {
            auto const cart = "desk-" + std::to_string(i);
            nlohmann::json const body{{"cart", cart}, {"item", "tea"}, {"quantity", 1}};
            shop::order_request const asked{.customer = "desk", .key = cart, .body = body.dump()};
            m_heard.take("desk", sent("order", "plain", shop::identity(asked)));
            auto const got = shop::place_order(db, asked);
            m_heard.take("desk", answered("order", "plain", shop::identity(asked), got));
            numbers.push_back(got.as<nlohmann::json>().at("number"));
        }
        return numbers;
    }

    // Two of each, but for the warehouse: one works, the other one takes over when it is killed.
    void start_services() {
        auto const task = [&](char const* kind, char const* name, bool bad_network, std::uint16_t port) {
            return daemon_task{.kind = kind,
                               .name = name,
                               .dsn = bad_network ? m_faults.dsn() : m_place.dsn(),
                               .seed = m_options.seed,
                               .port = port};
        };
        m_services.start(task("billing", "billing-1", true, 0));
        m_services.start(task("billing", "billing-2", false, 0));
        if (can_send_webhooks()) {
            auto const port = m_services.start_warehouse(task("warehouse", "warehouse-1", true, 0));
            m_services.start(task("relay", "relay-1", true, port));
            m_services.start(task("relay", "relay-2", false, port));
        }
    }

    void start_clients(std::vector<std::string> const& numbers) {
        m_until = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now() +
                                                                          m_options.length);
        auto const start = [&](char const* kind, char const* name, bool bad_network) {
            m_clients.start({.kind = kind,
                             .name = name,
                             .dsn = bad_network ? m_faults.dsn() : m_place.dsn(),
                             .seed = m_options.seed,
                             .until = m_until,
                             .numbers = numbers});
        };
        start("orders", "web-1", true);
        start("orders", "web-2", true);
        start("orders", "web-3", true);
        start("orders", "web-4", false);
        start("notes", "clerk-1", true);
        start("notes", "clerk-2", false);
        start("votes", "voter-1", true);
        start("votes", "voter-2", false);
    }

    void storm() {
        m_begin = clock::now();
        auto next_kill = m_begin + pause(300, 500);
        auto next_termination = m_begin + pause(200, 600);
        while (std::chrono::system_clock::now() < m_until - 300ms || !m_everybody_was_killed) {
            listen();
            if (clock::now() >= next_kill) {
                kill_somebody();
                next_kill = clock::now() + pause(250, 650);
            }
            if (clock::now() >= next_termination) {
                m_faults.terminate_any();
                next_termination = clock::now() + pause(200, 600);
            }
        }
        m_faults.stop();
    }

    // In turns, each turn in another order, so that everybody is killed even in a short play.
    void kill_somebody() {
        if (m_victims.empty()) {
            m_victims = {"client", "billing", "client"};
            if (can_send_webhooks()) {
                m_victims.insert(m_victims.end(), {"relay", "warehouse"});
            }
            std::ranges::shuffle(m_victims, m_random);
        }
        auto const victim = m_victims.back();
        m_victims.pop_back();
        m_everybody_was_killed = m_everybody_was_killed || m_victims.empty();
        if (victim == "client") {
            m_clients.kill_and_replace(m_random);
        } else {
            m_services.kill_and_replace(victim, m_random);
        }
    }

    void listen() {
        throw_if_interrupted();
        m_clients.listen(20ms);
        m_services.listen();
        progress();
    }

    void wait_for_clients() {
        auto const limit = clock::now() + 60s;
        while (!m_clients.all_ended()) {
            listen();
            if (clock::now() >= limit) {
                throw std::runtime_error{"a client process does not end"};
            }
        }
    }

    // When it takes too long, the checks tell what is not there.
    void wait_for_deliveries() {
        auto const limit = clock::now() + 60s;
        while (ask(nothing_waits) != "t" && clock::now() < limit) {
            listen();
        }
    }

    std::string ask(char const* sql) {
        auto const rows = pqxx::nontransaction{m_watching}.exec(sql);
        return rows[0][0].c_str();
    }

    void progress() {
        auto const passed = clock::now() - m_begin;
        if (passed < m_next_progress) {
            return;
        }
        m_next_progress = passed + (m_terminal ? 200ms : 2000ms);
        auto const killed = m_clients.killed() + m_services.killed("billing") + m_services.killed("relay") +
                            m_services.killed("warehouse");
        std::cout << (m_terminal ? "\r\x1b[K" : "") << std::setw(4)
                  << std::chrono::duration_cast<std::chrono::seconds>(passed).count() << " s   "
                  << m_heard.count("sent") << " requests, " << m_heard.count("replayed")
                  << " repeats answered, "
                  << m_heard.count("in doubt, committed") + m_heard.count("in doubt, not committed")
                  << " lost answers found out, " << ask("select count(*) from billing.posting")
                  << " postings, " << killed << " processes killed" << (m_terminal ? "" : "\n") << std::flush;
    }

    int print_checks() {
        store_answers(m_place.dsn(), m_heard);
        auto const failed = run_all_checks();
        show_records(m_place.dsn(), can_send_webhooks());
        if (failed > 0) {
            std::cout
                << "\nSomething took effect twice, or got lost, or was left undone: see FAILED above. That "
                   "is a defect; please report it\nwith the seed "
                << m_options.seed << ".\n";
            return 1;
        }
        std::cout
            << "\nProcesses died, connections broke, answers got lost, customers clicked twice: every order "
               "and "
               "every note\ntook effect once, every repeat got the first answer, and every message had its "
               "effect once. What the services do\nfor it is in place_order.cpp, billing.cpp and "
               "warehouse.cpp "
               "in examples/order_service; README.md tells how to use\nthe library.\n";
        if (!can_send_webhooks()) {
            std::cout
                << "SKIPPED: relay and warehouse, because this was built without the component webhook.\n";
        }
        return 0;
    }

    int run_all_checks() {
        std::cout << "\n  Checked in the database (how many were looked at)\n";
        int failed = run_checks(m_place.dsn(), claims_of_requests());
        failed += run_checks(m_place.dsn(), claims_of_billing());
        if (can_send_webhooks()) {
            failed += run_checks(m_place.dsn(), claims_of_warehouse());
        }
        for (auto const& text : m_heard.broken()) {
            std::cout << "  FAILED  a process gave up: " << text << '\n';
        }
        if (auto const ended = m_clients.failed() + m_services.failed(); ended > 0) {
            std::cout << "  FAILED  processes that ended badly: " << ended << '\n';
            failed += ended;
        }
        return failed;
    }

    std::chrono::milliseconds pause(unsigned least, unsigned most) {
        return std::chrono::milliseconds{least + m_random() % (most - least)};
    }

    play_options const& m_options;
    std::mt19937_64 m_random;
    place m_place;
    faults m_faults;
    tally m_heard;
    workers m_clients;
    daemons m_services;
    pqxx::connection m_watching;
    std::vector<std::string> m_victims;
    bool m_everybody_was_killed = false;
    std::chrono::sys_time<std::chrono::milliseconds> m_until{};
    clock::time_point m_begin{};
    bool m_terminal = ::isatty(STDOUT_FILENO) == 1;
    clock::duration m_next_progress = m_terminal ? clock::duration{0} : clock::duration{2s};
};

} // namespace

int play(play_options const& options) {
    std::cout
        << "An order service, and everything that can go wrong.\n\n"
           "  Four processes place orders, two clerks write notes into the same two orders, two processes "
           "vote\n"
           "  for the same two people: for "
        << options.length.count()
        << " seconds, with double clicks, impatient repeats and keys used twice.\n"
           "  Billing, on the same database, writes a ledger of what they publish. A relay posts it to a "
           "warehouse, over HTTP.\n"
           "  Meanwhile all of them are killed, database sessions are terminated, and answers get lost.\n\n"
           "  seed "
        << options.seed << " (--seed " << options.seed << " makes the same choices again)\n";
    if (!can_send_webhooks()) {
        std::cout << "\n  SKIPPED: this was built without the component webhook (it needs libcurl), so there "
                     "is no relay "
                     "and no warehouse.\n"
                     "  tools/dev/dependencies installs what is missing; then configure with "
                     "-DONCE_WITH_WEBHOOK=ON.\n\n";
    }
    std::cout << std::flush;
    return stage{options}.run();
}

} // namespace demo
