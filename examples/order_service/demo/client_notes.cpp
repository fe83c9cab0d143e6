// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"

#include <stdexcept>
#include <thread>

namespace demo {

namespace {

shop::order read_order(client const& self, std::string const& number) {
    for (int attempt = 0; attempt < 20; ++attempt) {
        try {
            if (auto found = shop::find_order(self.db(), number, patience())) {
                return *found;
            }
        } catch (std::exception const&) {
            continue; // reading again does no harm
        }
    }
    throw std::runtime_error{"order " + number + " cannot be read"};
}

// The clerk opens the order, thinks, and saves. The slower one is told so, and does it again with what it is then.
void edit_as_seen(client const& self, shop::note_request const& asked, std::mt19937_64& random) {
    int status = 0;
    while (status != 200) {
        auto const seen = read_order(self, asked.number);
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 6});
        auto const got = self.insist("note", "update", shop::identity(asked),
                                     [&] { return shop::write_note(self.db(), asked, seen, patience()); });
        status = got.has_response() ? got.response().status : 0;
    }
}

} // namespace

void send_notes(client const& self, int piece) {
    auto random = self.random(piece);
    auto const& numbers = self.task().numbers;
    auto const mark = self.task().name + "-" + std::to_string(piece);
    shop::note_request const asked{.clerk = self.task().name,
                                   .key = mark,
                                   .number = numbers.at(random() % numbers.size()),
                                   .text = mark};
    if (random() % 2 == 0) {
        edit_as_seen(self, asked, random);
    } else {
        self.insist("note", "modify", shop::identity(asked),
                    [&] { return shop::append_note(self.db(), asked, patience()); });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{10 + random() % 30});
}

} // namespace demo
