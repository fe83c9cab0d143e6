// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "faults/server_pair.hpp"

#include "faults/workload.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <pqxx/connection>
#include <pqxx/nontransaction>
#include <pqxx/result>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace once::testing {

namespace {

namespace fs = std::filesystem;

std::string const cluster = ONCE_SOURCE_DIR "/tools/dev/cluster";
constexpr auto socket_name = ".s.PGSQL.5432";

std::string at_folder(std::string const& folder, std::string const& dbname) {
    return "host=" + folder + " port=5432 user=postgres dbname=" + dbname;
}

} // namespace

private_servers::private_servers() {
    // Below the cluster's folder, so that tools/dev/cluster ends what a crashed test leaves.
    char const* const folder = std::getenv("ONCE_CLUSTER_DIR"); // NOLINT(concurrency-mt-unsafe)
    if (folder == nullptr) {
        SKIP("NO SERVERS: ONCE_CLUSTER_DIR is not set. Run tests/run, or tools/dev/cluster run -- ctest ...");
    }
    static int count = 0;
    m_base = std::string{folder} + "/p" + std::to_string(::getpid()) + "_" + std::to_string(++count) + "_";
}

private_servers::~private_servers() {
    auto const parent = fs::path{m_base}.parent_path();
    std::string const prefix = fs::path{m_base}.filename();
    std::error_code ignored;
    for (auto const& entry : fs::directory_iterator{parent, ignored}) {
        if (!entry.path().filename().string().starts_with(prefix)) {
            continue;
        }
        if (fs::exists(entry.path() / "binaries")) {
            try {
                run(cluster + " stop " + entry.path().string());
            } catch (std::exception const& e) {
                std::fprintf(stderr, "%s\n", e.what());
            }
        } else {
            fs::remove_all(entry.path(), ignored);
        }
    }
}

std::string private_servers::dsn(std::string const& name) const {
    return at_folder(m_base + name, "shop");
}

void private_servers::run(std::string const& command) const {
    if (std::system((command + " </dev/null >/dev/null").c_str()) !=
        0) { // NOLINT(cert-env33-c,concurrency-mt-unsafe)
        throw std::runtime_error{"this failed: " + command};
    }
}

void private_servers::start_primary(std::string const& name) {
    auto const folder = m_base + name;
    run(cluster + " start " + folder);
    auto const admin = at_folder(folder, "postgres");
    run("ONCE_TEST_DSN='" + admin +
        "' " ONCE_SOURCE_DIR "/tests/support/make_template " ONCE_SOURCE_DIR "/migrations 2>/dev/null");
    pqxx::connection server{admin};
    pqxx::nontransaction{server}.exec("create database shop template once_template");
    pqxx::connection shop{dsn(name)};
    pqxx::nontransaction{shop}.exec(workload_tables);
}

void private_servers::start_standby(std::string const& name, std::string const& primary) {
    run(ONCE_SOURCE_DIR "/tests/faults/make_standby " + m_base + primary + " " + m_base + name);
    run(cluster + " start " + m_base + name);
}

void private_servers::crash(std::string const& name) const {
    run(cluster + " stop --keep " + m_base + name);
}

void private_servers::start_again(std::string const& name) const {
    run(cluster + " start " + m_base + name);
}

void private_servers::cut_off(std::string const& standby) const {
    pqxx::connection server{at_folder(m_base + standby, "postgres")};
    pqxx::nontransaction tx{server};
    tx.exec("alter system set primary_conninfo = ''");
    tx.exec("select pg_reload_conf()");
    if (!wait_until([&] { return tx.exec("select from pg_stat_wal_receiver").empty(); })) {
        throw std::runtime_error{"the standby still receives from its primary"};
    }
}

void private_servers::point(std::string const& link, std::string const& name) const {
    fs::path const folder{m_base + link};
    fs::create_directories(folder);
    auto const draft = folder / "draft";
    fs::create_symlink(fs::path{m_base + name} / socket_name, draft);
    fs::rename(draft, folder / socket_name);
}

} // namespace once::testing
