// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "client.hpp"
#include "sabotage.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <latch>
#include <thread>

namespace demo {

namespace {

using namespace std::chrono_literals;

shop::order_request make_order(client const& self, int piece, std::mt19937_64& random) {
    static constexpr std::array customers{"alice", "bob", "carol", "dave"};
    static constexpr std::array items{"tea", "lamp", "chair"};
    auto const cart = self.task().name + "-" + std::to_string(piece);
    nlohmann::json const body{
        {"cart", cart}, {"item", items.at(random() % items.size())}, {"quantity", 1 + random() % 3}};
    return {.customer = customers.at(random() % customers.size()), .key = cart, .body = body.dump()};
}

void send(client const& self, shop::order_request const& asked, std::string_view variant,
          once::call_options const& options = patience()) {
    self.insist("order", variant, shop::identity(asked),
                [&] { return shop::place_order(self.db(), asked, options); });
}

// Two clicks on the button, at the same moment.
void double_click(client const& self, shop::order_request const& asked, std::string_view variant,
                  once::call_options const& options) {
    std::latch ready{2};
    auto const click = [&] {
        ready.arrive_and_wait();
        send(self, asked, variant, options);
    };
    std::jthread const other{click};
    click();
}

shop::order_request with_item(shop::order_request asked, char const* item) {
    auto body = nlohmann::json::parse(asked.body);
    body["item"] = item;
    asked.body = body.dump();
    return asked;
}

// The customer sees nothing happen and sends the same order again, while the first one is still being worked on.
void lose_patience(client const& self, shop::order_request const& asked) {
    auto const slow = with_item(asked, "grand piano");
    std::jthread const first{[&] { send(self, slow, "first of two"); }};
    std::this_thread::sleep_for(80ms);
    send(self, slow, "sent again");
}

// The same key, but another order: a defect of the client, or an attack.
void reuse_key(client const& self, shop::order_request const& asked) {
    send(self, asked, "plain");
    auto other = asked;
    auto body = nlohmann::json::parse(asked.body);
    body["quantity"] = 100;
    other.body = body.dump();
    send(self, other, "other body");
}

} // namespace

void send_orders(client const& self, int piece) {
    auto random = self.random(piece);
    auto const asked = make_order(self, piece, random);
    switch (random() % 6) {
    case 0:
        double_click(self, asked, "double click", patience());
        break;
    case 1:
        lose_patience(self, asked);
        break;
    case 2:
        reuse_key(self, asked);
        break;
    case 3: {
        auto fail_fast = patience();
        fail_fast.wait = 0ms;
        double_click(self, asked, "fail fast", fail_fast);
        break;
    }
    case 4: {
        send(self, asked, "plain");
        auto again = asked;
        again.key += sabotaged("key") ? "-again" : "";
        send(self, again, "sent again");
        break;
    }
    default:
        send(self, asked, "plain");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{random() % 10});
}

} // namespace demo
