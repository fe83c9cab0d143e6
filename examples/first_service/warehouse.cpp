// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
// [region: file]
#include "stop_on_signal.hpp"

#include <chrono>
#include <cstdlib>
#include <httplib.h>
#include <iostream>
#include <string>
#include <thread>

/// Somebody else's service, so it knows nothing of once. A webhook can come twice: the Idempotency-Key tells.
int main() {
    auto const stop = stop_on_signal();
    httplib::Server server;
    server.Post("/hook", [](httplib::Request const& from, httplib::Response& to) {
        std::cout << from.get_header_value("Idempotency-Key") << ' ' << from.body << std::endl;
        to.status = 204; // from here on the relay takes it as delivered
    });
    char const* const port = std::getenv("WAREHOUSE_PORT");
    if (!server.bind_to_port("127.0.0.1", port != nullptr ? std::stoi(port) : 9000)) {
        std::cerr << "warehouse: the port is taken\n";
        return 1;
    }
    std::stop_callback const stopping{stop, [&] {
                                          while (!server.is_running()) {
                                              std::this_thread::sleep_for(std::chrono::milliseconds{10});
                                          }
                                          server.stop();
                                      }};
    return server.listen_after_bind() ? 0 : 1;
}
// [endregion]
