// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "play.hpp"

#include "checks.hpp"
#include "faults.hpp"
#include "place.hpp"
#include "workers.hpp"

#include <pqxx/pqxx>

#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <unistd.h>

namespace demo {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class stage {
public:
    explicit stage(play_options const& options)
        : m_options{options},
          m_random{options.seed},
          m_place{options.server_dsn},
          m_faults{m_place, options.seed},
          m_workers{m_heard} {}

    int run() {
        std::cout << "  database " << m_place.name() << " is ready\n\n" << std::flush;
        auto const numbers = place_two_orders();
        start_clients(numbers);
        storm();
        wait_for_the_rest();
        print_table();
        return print_checks();
    }

private:
    // Two orders that the clerks will write into, placed like any other.
    std::vector<std::string> place_two_orders() {
        once::database db{m_place.dsn() + " application_name=desk"};
        db.check();
        std::vector<std::string> numbers;
        for (int i = 1; i <= 2; ++i) {
            auto const cart = "desk-" + std::to_string(i);
            nlohmann::json const body{{"cart", cart}, {"item", "tea"}, {"quantity", 1}};
            shop::order_request const asked{.customer = "desk", .key = cart, .body = body.dump()};
            auto const got = shop::place_order(db, asked);
            numbers.push_back(got.as<nlohmann::json>().at("number"));
            nlohmann::json event{{"action", "order"},
                                 {"variant", "plain"},
                                 {"scope", shop::identity(asked).scope},
                                 {"key", cart},
                                 {"event", "sent"}};
            m_heard.take("desk", event);
            event.update({{"event", "answer"},
                          {"outcome", once::to_string(got.outcome())},
                          {"in_doubt", got.was_in_doubt()},
                          {"committed", got.committed()},
                          {"status", got.response().status},
                          {"headers", got.response().headers},
                          {"body", got.response().body.data()}});
            m_heard.take("desk", event);
        }
        return numbers;
    }

    void start_clients(std::vector<std::string> const& numbers) {
        m_until = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now() +
                                                                          m_options.length);
        auto const start = [&](char const* kind, char const* name, bool bad_network) {
            m_workers.start({.kind = kind,
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
        auto const begin = clock::now();
        auto next_kill = begin + pause(500, 900);
        auto next_termination = begin + pause(200, 600);
        while (std::chrono::system_clock::now() < m_until - 300ms) {
            m_workers.listen(20ms);
            if (clock::now() >= next_kill) {
                m_workers.kill_and_replace(m_random);
                next_kill = clock::now() + pause(400, 900);
            }
            if (clock::now() >= next_termination) {
                m_faults.terminate_any();
                next_termination = clock::now() + pause(200, 600);
            }
            progress(clock::now() - begin);
        }
        m_faults.stop();
    }

    void wait_for_the_rest() {
        auto const limit = clock::now() + 30s;
        while (!m_workers.all_ended()) {
            m_workers.listen(50ms);
            if (clock::now() >= limit) {
                throw std::runtime_error{"a client process does not end"};
            }
        }
        if (m_terminal) {
            std::cout << "\r\x1b[K" << std::flush;
        }
    }

    void progress(clock::duration passed) {
        if (passed < m_next_progress) {
            return;
        }
        m_next_progress = passed + (m_terminal ? 200ms : 2000ms);
        std::cout << (m_terminal ? "\r\x1b[K" : "") << "  " << std::fixed << std::setprecision(0)
                  << std::setw(3) << std::chrono::duration<double>(passed).count() << " s   "
                  << m_heard.count("sent") << " requests, " << m_heard.count("replayed")
                  << " repeats answered, "
                  << m_heard.count("in doubt, committed") + m_heard.count("in doubt, not committed")
                  << " lost answers found out, " << m_workers.killed() << " processes killed"
                  << (m_terminal ? "" : "\n") << std::flush;
    }

    void print_table() const {
        auto const& h = m_heard;
        auto const line = [](char const* what, auto const& orders, auto const& notes, auto const& votes) {
            std::cout << "  " << std::left << std::setw(46) << what << std::right << std::setw(8) << orders
                      << std::setw(8) << notes << std::setw(8) << votes << '\n';
        };
        auto const both = [&](char const* what, char const* word) {
            line(what, h.count("order", word), h.count("note", word), "");
        };
        auto const of_all = [&](char const* what, char const* word) {
            line(what, h.count("order", word), h.count("note", word), h.count("vote", word));
        };
        std::cout << '\n';
        line("What the clients saw", "orders", "notes", "votes");
        of_all("requests sent, repeats included", "sent");
        both("took effect", "took effect");
        both("replayed: had been done, got the first answer", "replayed");
        both("key_reused: another order under the same key", "key_reused");
        both("in_progress: told to ask again", "in_progress");
        line("stale: somebody else had changed it, refused", "", h.count("note", "stale"), "");
        line("different votes, counted", "", "", counted_votes());
        of_all("failed: nothing happened, sent again", "failed");
        of_all("unknown: sent again", "unknown");
        auto const dead = [&](char const* action) {
            return h.count(action, "sent") - h.count(action, "answered");
        };
        line("the client was killed before the answer", dead("order"), dead("note"), dead("vote"));
        both("in doubt: no answer to COMMIT, found by key", "in doubt");
        both("    it had been committed", "in doubt, committed");
        both("    it had not, and was done then", "in doubt, not committed");
        both("    still unknown, sent again", "in doubt, unknown");

        auto const event = [](char const* what, int number) {
            std::cout << "  " << std::left << std::setw(46) << what << std::right << std::setw(8) << number
                      << '\n';
        };
        std::cout << "\n  What happened to them\n";
        event("processes killed with -9 and replaced", m_workers.killed());
        event("database sessions terminated", m_faults.sessions_terminated());
        event("COMMITs lost on the way to the server", m_faults.requests_lost());
        event("answers to COMMIT lost on the way back", m_faults.replies_lost());
    }

    int print_checks() {
        store_answers(m_place.dsn(), m_heard);
        std::cout << "\n  Checked in the database (how many were looked at)\n";
        int const failed = run_checks(m_place.dsn());
        for (auto const& text : m_heard.broken()) {
            std::cout << "  FAILED  a client gave up: " << text << '\n';
        }
        if (m_workers.failed() > 0) {
            std::cout << "  FAILED  client processes that ended badly: " << m_workers.failed() << '\n';
        }
        show_records(m_place.dsn());
        if (failed > 0 || m_workers.failed() > 0) {
            std::cout << "\nSomething took effect twice, or got lost, or was left undone: see FAILED above. "
                         "That is a defect; please "
                         "report it with the seed "
                      << m_options.seed << ".\n";
            return 1;
        }
        std::cout
            << "\nProcesses died, connections broke, answers got lost, customers clicked twice: every order "
               "and "
               "every note\ntook effect once, and every repeat got the first answer. What the service does "
               "for it "
               "is in\nexamples/order_service/place_order.cpp; README.md tells how to use the library.\n";
        return 0;
    }

    [[nodiscard]] long counted_votes() const {
        pqxx::connection connection{m_place.dsn()};
        pqxx::nontransaction tx{connection};
        return tx.exec("select count(*) from shop.votes")[0][0].as<long>();
    }

    std::chrono::milliseconds pause(unsigned least, unsigned most) {
        return std::chrono::milliseconds{least + m_random() % (most - least)};
    }

    play_options const& m_options;
    std::mt19937_64 m_random;
    place m_place;
    faults m_faults;
    tally m_heard;
    workers m_workers;
    std::chrono::sys_time<std::chrono::milliseconds> m_until{};
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
           "  Meanwhile processes are killed, database sessions are terminated, and answers get lost.\n\n"
           "  seed "
        << options.seed << " (--seed " << options.seed << " makes the same choices again)\n"
        << std::flush;
    return stage{options}.run();
}

} // namespace demo
