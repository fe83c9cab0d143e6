// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// The same without a mistake: it compiles, so what the others say is not for another reason.
#include <once/once.hpp>

struct order {
    std::int64_t id{};
    std::string number{};
    std::int64_t version{};
};

template <>
struct once::mapping<order> {
    static constexpr auto columns =
        once::columns(once::generated_id("id", &order::id), once::column("number", &order::number),
                      once::version("version", &order::version));
    static constexpr auto unique = once::unique("number");
};

once::inbox const inbox{"billing", {.retention = std::chrono::hours{1}}};

once::phase const charge = once::idempotent_remote("charge", [](once::running_operation&) {});

once::reply place(once::database& db, once::repository<order> const& orders, std::int64_t id,
                  std::string_view text) {
    once::consumer consumer{db, "billing", [](once::delivery const&, once::transaction&) {}};
    once::transact(db, [](once::transaction&) {}).expect_committed();
    once::request asked{
        .scope = "POST /orders", .key = std::to_string(id), .fingerprint = once::no_fingerprint};
    asked.key = text;
    asked.key += "!";
    pqxx::params const bound{asked.key};
    return once::execute(db, asked,
                         [&](once::transaction& tx) -> once::response {
                             auto const row = orders.insert(tx, order{.number = asked.key}).row;
                             return {.status = orders.update(tx, row).index() == 0 ? 201 : 409,
                                     .body = once::body::text("hello")};
                         },
                         {.wait = std::chrono::milliseconds{500}, .retention = std::chrono::hours{24}});
}
