// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "screen.hpp"

#include "environment.hpp"
#include "exit_status.hpp"
#include "printable.hpp"

#include <ostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace once::command {

namespace {

int place_in_streams() {
    static int const place = std::ios_base::xalloc();
    return place;
}

int columns_of_terminal(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0) { // NOLINT(cppcoreguidelines-pro-type-vararg)
        return size.ws_col;
    }
    return 80;
}

} // namespace

screen look_at(int descriptor) {
    if (::isatty(descriptor) == 0) {
        return {};
    }
    auto const kind = variable("TERM");
    return {.terminal = true,
            .colour = !variable("NO_COLOR") && kind && *kind != "dumb",
            .columns = columns_of_terminal(descriptor)};
}

void set_screen(std::ostream& stream, screen const& where) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): it is only read
    stream.pword(place_in_streams()) = const_cast<screen*>(&where);
}

screen const& screen_of(std::ostream& stream) {
    static screen const none{};
    auto const* const where = static_cast<screen const*>(stream.pword(place_in_streams()));
    return where == nullptr ? none : *where;
}

std::string painted(std::ostream& stream, ink colour, std::string text) {
    if (!screen_of(stream).colour || colour == ink::plain || text.empty()) {
        return text;
    }
    char const* const begin = colour == ink::strong  ? "\x1b[1m"
                              : colour == ink::faint ? "\x1b[2m"
                              : colour == ink::bad   ? "\x1b[31m"
                                                     : "\x1b[33m";
    return begin + text + "\x1b[0m";
}

void print_raw(std::ostream& stream, std::string_view bytes) {
    if (screen_of(stream).terminal) {
        stream << printable_lines(bytes);
    } else {
        stream << bytes;
    }
}

failure output_lost(std::ostream& stream) {
    return {exit_status::output_lost,
            screen_of(stream).reader_gone.stop_requested()
                ? "nobody reads standard output any more"
                : "standard output takes no more: has its reader gone, is the disk full?",
            ""};
}

void check_output(std::ostream& stream) {
    if (!stream.flush()) {
        throw output_lost(stream);
    }
}

} // namespace once::command
