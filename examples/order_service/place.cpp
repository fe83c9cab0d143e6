// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "place.hpp"

#include "child_process.hpp"

#include <pqxx/pqxx>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace demo {

namespace {

std::vector<std::string> migrations() {
    std::vector<std::string> files;
    for (auto const& entry : std::filesystem::directory_iterator{ONCE_MIGRATIONS_FOLDER}) {
        if (auto const path = entry.path().string(); path.ends_with(".up.sql")) {
            files.push_back(path);
        }
    }
    std::ranges::sort(files);
    return files;
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
    {
        pqxx::connection made{m_dsn};
        pqxx::nontransaction{made}.exec("create schema once");
    }
    for (auto const& file : migrations()) {
        apply(file);
    }
    apply(ONCE_SHOP_SQL);
}

place::~place() {
    try {
        pqxx::connection server{m_server_dsn};
        pqxx::nontransaction{server}.exec("drop database " + m_name + " with (force)");
    } catch (std::exception const& e) {
        std::cerr << "order_service: database " << m_name << " is left behind: " << e.what() << '\n';
    }
}

void place::apply(std::string const& file) const {
    // Each file in one transaction, into the schema once: as the head of every migration says.
    if (run_program(
            {"psql", "-X", "-q", "-o", "/dev/null", "-1", "-v", "ON_ERROR_STOP=1", "-d", m_dsn, "-f", file},
            {"PGOPTIONS=-c search_path=once -c client_min_messages=warning"}) != 0) {
        throw std::runtime_error{"psql could not apply " + file};
    }
}

} // namespace demo
