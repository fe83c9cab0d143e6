// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include <once/database.hpp>
#include <once/execute.hpp>

#include "routes.hpp"

#include <pqxx/pqxx>

#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

namespace {

constexpr char const* usage = R"(usage: web_shop DSN [--port N] [--slow-ms N] [--wait-ms N]

A web shop with one form, for this computer only. Prints its address and serves until it is ended.
The schema of once must be in the database; the shop adds its own tables.

--port N     a certain port instead of any free one
--slow-ms N  how long each order takes (default 0)
--wait-ms N  how long a second click waits for the first one (default 10000)
)";

void make_tables(once::database& db) {
    std::ifstream file{ONCE_WEB_SHOP_SQL};
    std::string const sql{std::istreambuf_iterator<char>{file}, {}};
    if (sql.empty()) {
        throw std::runtime_error{"cannot read " ONCE_WEB_SHOP_SQL};
    }
    once::transact(db, [&](once::transaction& tx) { tx.exec(sql); }).expect_committed();
}

int serve(std::string const& dsn, int port, shop::route_options const& options) {
    once::database db{dsn};
    db.check();
    make_tables(db);

    httplib::Server server;
    // A form is small; a client that sends more has something else in mind.
    constexpr std::size_t largest_body = std::size_t{64} * 1024;
    server.set_payload_max_length(largest_body);
    server.set_tcp_nodelay(true);
    shop::add_routes(server, db, options);
    std::string const host = "127.0.0.1";
    if (port == 0) {
        port = server.bind_to_any_port(host);
    } else if (!server.bind_to_port(host, port)) {
        port = -1;
    }
    if (port < 0) {
        throw std::runtime_error{"cannot listen on 127.0.0.1"};
    }
    std::cout << "http://" << host << ':' << port << '/' << std::endl;
    return server.listen_after_bind() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) try {
    std::vector<std::string> const words(argv + 1, argv + argc);
    if (words.empty() || words.size() % 2 == 0) {
        std::cerr << usage;
        return 2;
    }
    int port = 0;
    shop::route_options options;
    for (std::size_t i = 1; i < words.size(); i += 2) {
        if (words[i] == "--port") {
            port = std::stoi(words[i + 1]);
        } else if (words[i] == "--slow-ms") {
            options.slowness = std::chrono::milliseconds{std::stoi(words[i + 1])};
        } else if (words[i] == "--wait-ms") {
            options.wait = std::chrono::milliseconds{std::stoi(words[i + 1])};
        } else {
            std::cerr << usage;
            return 2;
        }
    }
    return serve(words[0], port, options);
} catch (std::exception const& e) {
    std::cerr << "web_shop: " << e.what() << '\n';
    return 1;
}
