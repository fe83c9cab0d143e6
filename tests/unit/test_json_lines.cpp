// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
//
// More than 400 lines: one claim for each way in which a file can be torn or full.
#include <once/error.hpp>
#include <once/json_lines_publisher.hpp>

#include "support/publisher_conformance.hpp"
#include "support/wait_until.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace once;
using namespace once::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

class own_folder {
public:
    own_folder() {
        auto pattern = (fs::temp_directory_path() / "once_lines_XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error{"mkdtemp"};
        }
        m_path = pattern;
    }
    ~own_folder() { fs::remove_all(m_path); }
    own_folder(own_folder const&) = delete;
    own_folder& operator=(own_folder const&) = delete;
    [[nodiscard]] fs::path operator/(char const* name) const { return m_path / name; }

private:
    fs::path m_path;
};

std::string contents(fs::path const& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

std::string decoded(std::string const& text) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<unsigned, 256> value{};
    for (unsigned i = 0; i < letters.size(); ++i) {
        value[static_cast<unsigned char>(letters[i])] = i;
    }
    std::string made;
    unsigned bits = 0;
    int held = 0;
    for (char const c : text) {
        if (c != '=') {
            bits = (bits << 6U) | value[static_cast<unsigned char>(c)];
            held += 6;
        }
        if (held >= 8) {
            held -= 8;
            made += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xffU);
        }
    }
    return made;
}

/// What a reader does: skips what is no JSON.
std::vector<arrival> read_lines(std::string const& text) {
    std::vector<arrival> made;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) {
        auto const json = nlohmann::json::parse(line, nullptr, false);
        if (json.is_discarded()) {
            continue;
        }
        arrival one{message_id::parse(json.at("id").get<std::string>()), json.at("topic"),
                    json.value("key", "")};
        if (json.contains("payload_base64")) {
            one.payload = decoded(json.at("payload_base64"));
        } else { // the exact text, which stands last
            auto const start = line.find(",\"payload\":") + 11;
            one.payload = line.substr(start, line.size() - start - 1);
        }
        made.push_back(std::move(one));
    }
    return made;
}

class file_receiver final : public receiver_under_test {
public:
    file_receiver() { fs::create_directory(m_folder / "out"); }
    std::unique_ptr<publisher> make_publisher() override {
        auto made = std::make_unique<json_lines_publisher>((m_folder / "out" / "messages.jsonl").string());
        m_publisher = made.get();
        return made;
    }
    // Each line is read once: there are some of a mebibyte, and the suite asks after every batch.
    std::vector<arrival> arrivals() override {
        auto const text = contents(m_folder / "out" / "messages.jsonl"); // "" while it is away
        auto const end = text.rfind('\n') + 1;                           // 0 where there is none
        if (end > m_read) {
            std::ranges::move(read_lines(text.substr(m_read, end - m_read)), std::back_inserter(m_arrived));
            m_read = end;
        }
        return m_arrived;
    }
    [[nodiscard]] bool can(mishap) const override { return false; }
    void plan(message_id const&, mishap) override {}
    void forget_plans() override {}
    void go_away() override {
        fs::rename(m_folder / "out", m_folder / "away");
        m_publisher->reopen();
    }
    void come_back() override { fs::rename(m_folder / "away", m_folder / "out"); }

private:
    own_folder m_folder;
    json_lines_publisher* m_publisher = nullptr;
    std::size_t m_read = 0;
    std::vector<arrival> m_arrived;
};

std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + 10s;
}

} // namespace

TEST_CASE("the publisher of JSON lines keeps the rules of publishers", "[publisher][json_lines]") {
    file_receiver receiver;
    CHECK(to_text(check_conformance(receiver)) == "");
}

TEST_CASE("a line holds all there is to a message, and JSON as the exact text", "[publisher][json_lines]") {
    auto message = make_delivery("A-17", body::json_text(R"({"b":1.50, "a":[]})"));
    message.id = message_id::parse("0193639c-4b5a-7c3d-8e9f-0123456789ab");
    message.headers = {{"x-tenant", "a \"b\""}, {"x-empty", ""}};
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    message.published_at = std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + 22h + 6min + 11s + 1us;
    CHECK(json_line(message) ==
          R"({"id":"0193639c-4b5a-7c3d-8e9f-0123456789ab","topic":"orders.placed","key":"A-17",)"
          R"("time":"2026-11-24T22:06:11.000001Z","service":"orders",)"
          R"("headers":[["x-tenant","a \"b\""],["x-empty",""]],)"
          R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
          R"("content_type":"application/json","payload":{"b":1.50, "a":[]}})");
}

TEST_CASE("payloads that cannot stand in a line as they are come as base64", "[publisher][json_lines]") {
    for (auto const& payload : {body::bytes(std::string{"\0\xff\n", 3}, "application/octet-stream"),
                                body::json_text("{\n}"), body::json_text("{"), body::json_text("\"\xff\"")}) {
        auto const line = json_line(make_delivery("", payload));
        CHECK(line.find('\n') == std::string::npos);
        CHECK(decoded(nlohmann::json::parse(line).at("payload_base64")) == payload.data());
    }
}

TEST_CASE("a text that is not UTF-8 rejects its message and holds back its key", "[publisher][json_lines]") {
    std::ostringstream out;
    json_lines_publisher publisher{out};
    std::vector<delivery> messages{make_delivery("a", body{}), make_delivery("a", body{}),
                                   make_delivery("b", body{})};
    messages[0].headers = {{"x", "\xff secret"}};
    auto const report = publisher.publish(messages, soon());
    CHECK(report.answers[0].result == publish_result::rejected);
    CHECK(report.answers[0].error.find("secret") == std::string::npos);
    CHECK(report.answers[1].result == publish_result::not_sent);
    CHECK(report.answers[2].result == publish_result::accepted);
    CHECK(read_lines(out.str()).size() == 1);
}

TEST_CASE("after reopen() lines go to a new file of that name", "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    json_lines_publisher publisher{file.string()};
    std::vector<delivery> const messages{make_delivery("", body{})};
    REQUIRE(publisher.publish(messages, soon()).answers[0].result == publish_result::accepted);
    fs::rename(file, folder / "messages.1");
    REQUIRE(publisher.publish(messages, soon()).answers[0].result == publish_result::accepted);
    CHECK(read_lines(contents(folder / "messages.1")).size() == 2);
    publisher.reopen();
    REQUIRE(publisher.publish(messages, soon()).answers[0].result == publish_result::accepted);
    CHECK(read_lines(contents(file)).size() == 1);
}

TEST_CASE("what follows a torn line begins on a line of its own", "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    std::ofstream{file} << R"({"id":"0193639c-4b5a-7c3d)";
    json_lines_publisher publisher{file.string()};
    REQUIRE(publisher.publish(std::vector{make_delivery("", body{})}, soon()).answers[0].result ==
            publish_result::accepted);
    CHECK(read_lines(contents(file)).size() == 1);
    CHECK(contents(file).back() == '\n');
}

namespace {

/// Lets files grow to so many bytes: as a disk that is full in the middle of a write.
class full_disk {
public:
    explicit full_disk(std::size_t bytes) : m_handler{std::signal(SIGXFSZ, SIG_IGN)} {
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        rlimit limit{m_before};
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~full_disk() {
        ::setrlimit(RLIMIT_FSIZE, &m_before);
        std::signal(SIGXFSZ, m_handler);
    }
    full_disk(full_disk const&) = delete;
    full_disk& operator=(full_disk const&) = delete;
    full_disk(full_disk&&) = delete;
    full_disk& operator=(full_disk&&) = delete;

private:
    rlimit m_before{};
    void (*m_handler)(int);
};

} // namespace

TEST_CASE("each writer of a file begins on a line of its own, also behind one that another tore",
          "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    auto const accepted = [](json_lines_publisher& publisher) {
        return publisher.publish(std::vector{make_delivery("", body{})}, soon()).answers[0].result ==
               publish_result::accepted;
    };
    json_lines_publisher one{file.string()};
    json_lines_publisher other{file.string(), {.flush = json_lines_options::durability::none}};
    REQUIRE(accepted(one));
    REQUIRE(accepted(other)); // both have the file open, and have seen it end with a line
    auto const line = contents(file).size() / 2;
    {
        full_disk const here{line * 2 + line / 2};
        CHECK_FALSE(accepted(one));
    }
    CHECK(contents(file).back() != '\n');
    REQUIRE(accepted(other));
    CHECK(read_lines(contents(file)).size() == 3);
    // Truncated from outside, within a line, while it is open; and appended to by something else.
    fs::resize_file(file, contents(file).size() - 5);
    REQUIRE(accepted(other));
    CHECK(read_lines(contents(file)).size() == 3);
    std::ofstream{file, std::ios::app} << "half a li";
    REQUIRE(accepted(other));
    REQUIRE(accepted(one));
    CHECK(read_lines(contents(file)).size() == 5);
    fs::resize_file(file, 0); // as copytruncate of logrotate does
    REQUIRE(accepted(other));
    CHECK(contents(file).front() == '{');
}

TEST_CASE(
    "what several publishers write to one file while its disk is full now and then arrives whole, each line",
    "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    std::array<std::vector<message_id>, 4> accepted;
    std::atomic<int> refused{0};
    std::atomic<bool> done{false};
    {
        std::vector<std::jthread> writers;
        for (int i = 0; i < 4; ++i) {
            writers.emplace_back([&, i, mine = &accepted.at(static_cast<std::size_t>(i))] {
                json_lines_publisher publisher{file.string(),
                                               {.flush = json_lines_options::durability::none}};
                while (!done) {
                    std::vector<delivery> batch;
                    for (int n = 0; n < 3; ++n) {
                        batch.push_back(make_delivery(
                            "", body::bytes(std::string(static_cast<std::size_t>(100 * i + n), 'x'), "a/b")));
                    }
                    auto const report = publisher.publish(batch, soon());
                    for (std::size_t n = 0; n < batch.size(); ++n) {
                        if (report.answers[n].result == publish_result::accepted) {
                            mine->push_back(batch[n].id);
                        } else {
                            ++refused;
                        }
                    }
                }
            });
        }
        for (int round = 0; round < 20; ++round) {
            auto const size = [&] { return fs::exists(file) ? fs::file_size(file) : 0; };
            auto const before = size();
            CHECK(wait_until([&] { return size() > before + 10'000; }));
            auto const earlier = refused.load();
            full_disk const here{size() + 1'234};
            CHECK(wait_until([&] { return refused > earlier + 4; }));
        }
        done = true;
    }
    // A line that is whole and was not accepted is possible, never one that was accepted and is not there.
    std::set<message_id> there;
    for (auto const& one : read_lines(contents(file))) {
        CHECK(there.insert(one.id).second);
    }
    std::size_t missing = 0;
    for (auto const& of_one : accepted) {
        CHECK(of_one.size() > 100);
        missing += static_cast<std::size_t>(
            std::ranges::count_if(of_one, [&](auto const& id) { return !there.contains(id); }));
    }
    CHECK(missing == 0);
}

TEST_CASE("a file that may not be read is written all the same", "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    json_lines_publisher publisher{file.string(), {.mode = 0200}};
    for (int i = 0; i < 3; ++i) {
        REQUIRE(publisher.publish(std::vector{make_delivery("", body{})}, soon()).answers[0].result ==
                publish_result::accepted);
    }
    fs::permissions(file, fs::perms::owner_read, fs::perm_options::add);
    CHECK(read_lines(contents(file)).size() == 3);
}

TEST_CASE("a full device is unavailable and takes nothing", "[publisher][json_lines]") {
    json_lines_publisher publisher{"/dev/full"};
    auto const report = publisher.publish(std::vector{make_delivery("", body{})}, soon());
    REQUIRE(report.unavailable);
    CHECK(report.unavailable->find("No space left") != std::string::npos);
    CHECK(report.answers[0].result == publish_result::not_sent);
}

TEST_CASE("of a batch that does not fit, the lines that are whole count", "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "messages.jsonl";
    std::vector<delivery> messages;
    for (int i = 0; i < 8; ++i) {
        messages.push_back(make_delivery("k", body::bytes(std::string(1000, 'x'), "text/plain")));
    }
    auto const line = json_line(messages[0]).size() + 1;
    // EFBIG stands for any disk that is full in the middle of a write.
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    auto const handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{before};
    limit.rlim_cur = line * 3 + line / 2;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    json_lines_publisher publisher{file.string()};
    auto const report = publisher.publish(messages, soon());
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);

    CHECK(report.unavailable);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CHECK((report.answers[i].result == publish_result::accepted) == (i < 3));
        CHECK((report.answers[i].result == publish_result::not_sent) == (i >= 3));
    }
    auto const again = publisher.publish(std::span{messages}.subspan(3), soon());
    CHECK_FALSE(again.unavailable);
    auto const arrived = read_lines(contents(file));
    REQUIRE(arrived.size() == messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) {
        CHECK(arrived[i].id == messages[i].id);
    }
}

TEST_CASE("a FIFO that nobody reads does not hold a batch past its deadline", "[publisher][json_lines]") {
    own_folder const folder;
    auto const file = folder / "fifo";
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    json_lines_publisher publisher{file.string()};
    std::vector<delivery> messages;
    for (int i = 0; i < 4; ++i) {
        messages.push_back(make_delivery("k", body::bytes(std::string(40000, 'x'), "text/plain")));
    }
    CHECK(publisher.publish(messages, soon()).unavailable); // no reader at all

    int const reader = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(reader >= 0);
    auto const report = publisher.publish(messages, std::chrono::steady_clock::now() + 1s);
    CHECK(report.answers[0].result == publish_result::accepted); // 64 KiB fit into a pipe
    CHECK(report.answers[3].result == publish_result::not_sent);

    // The reader wakes up, and what comes now is whole again.
    std::string got;
    bool whole = false;
    std::thread drain{[&] {
        std::array<char, 65536> buffer{};
        whole = wait_until([&] {
            auto const n = ::read(reader, buffer.data(), buffer.size());
            if (n > 0) {
                got.append(buffer.data(), static_cast<std::size_t>(n));
            }
            return read_lines(got).size() == 4;
        });
    }};
    auto const rest = std::span{messages}.subspan(1);
    CHECK(publisher.publish(rest, soon()).answers[2].result == publish_result::accepted);
    drain.join();
    CHECK(whole);
    ::close(reader);
    // A reader that has gone is no SIGPIPE.
    CHECK(publisher.publish(messages, soon()).unavailable);
}

TEST_CASE("a path that is empty or holds a NUL is refused", "[publisher][json_lines]") {
    CHECK_THROWS_AS(json_lines_publisher{std::string{}}, invalid_argument);
    CHECK_THROWS_AS((json_lines_publisher{std::string{"a\0b", 3}}), invalid_argument);
}
