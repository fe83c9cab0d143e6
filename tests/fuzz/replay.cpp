// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "fuzz/fuzz.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

// usage: replay_NAME FOLDER: gives every kept input to the fuzzer once, without libFuzzer and with any compiler.
int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int count = 0;
    for (auto const& entry : std::filesystem::directory_iterator{argv[1]}) {
        std::ifstream file{entry.path(), std::ios::binary};
        std::vector<char> const bytes{std::istreambuf_iterator<char>{file}, {}};
        std::printf("%s\n", entry.path().filename().c_str());
        std::fflush(stdout); // the last name is that of the input that failed
        static_cast<void>(
            LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size()));
        ++count;
    }
    std::printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
