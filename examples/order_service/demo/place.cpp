// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "place.hpp"

#include <once/migrations.hpp>

#include "interruption.hpp"

#include <pqxx/pqxx>

#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace demo {

namespace {

std::string text_of(char const* path) {
    std::ifstream const file{path};
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) {
        throw std::runtime_error{std::string{"cannot read "} + path};
    }
    return text.str();
}

} // namespace

place::place(std::string server_dsn)
    : m_server_dsn{std::move(server_dsn)}, m_name{"order_service_demo_" + std::to_string(::getpid())} {
    {
        pqxx::connection server{m_server_dsn};
        pqxx::nontransaction tx{server};
        auto const facts = tx.exec("select split_part(current_setting('unix_socket_directories'), ',', 1), "
                                   "current_setting('port'), session_user");
        m_socket_folder = facts[0][0].c_str();
        m_port = std::stoi(facts[0][1].c_str());
        m_user = facts[0][2].c_str();
        if (m_socket_folder.empty()) {
            throw std::runtime_error{"the server has no Unix socket, which the demonstration needs"};
        }
        tx.exec("create database " + m_name);
    }
    m_dsn = "host=" + m_socket_folder + " port=" + std::to_string(m_port) + " user=" + m_user +
            " dbname=" + m_name;
    try {
        fill();
    } catch (...) {
        drop();
        throw;
    }
}

place::~place() {
    drop();
}

void place::drop() const noexcept {
    try {
        pqxx::connection server{m_server_dsn};
        pqxx::nontransaction{server}.exec("drop database " + m_name + " with (force)");
    } catch (std::exception const& e) {
        std::cerr << "order_service: database " << m_name << " is left behind: " << e.what() << '\n';
    }
}

void place::fill() const {
    pqxx::connection made{m_dsn + " options='-c client_min_messages=warning'"};
    pqxx::nontransaction{made}.exec("create schema once");
    for (auto const& step : once::migrations()) {
        throw_if_interrupted();
        // Each in one transaction, into the schema once: as the head of every migration says.
        pqxx::work tx{made};
        tx.exec("set local search_path = once");
        tx.exec(std::string{step.up});
        tx.commit();
    }
    pqxx::work tx{made};
    for (char const* const file : {ONCE_DEMO_SQL "/shop.sql", ONCE_DEMO_SQL "/billing.sql",
                                   ONCE_DEMO_SQL "/warehouse.sql", ONCE_DEMO_SQL "/demo/stage.sql"}) {
        tx.exec(text_of(file));
    }
    tx.commit();
}

} // namespace demo
