// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
#include "wire/binary_array.hpp"

namespace once::detail {

namespace {

constexpr std::size_t header_bytes = 20;
constexpr std::uint32_t null_length = 0xffffffffU;

} // namespace

binary_array::binary_array(element_type type) : m_type{type} {
    clear();
}

void binary_array::clear() {
    m_count = 0;
    m_nulls = 0;
    m_data.assign(header_bytes, '\0');
}

void binary_array::add(std::string_view value) {
    append_big_endian(m_data, static_cast<std::uint32_t>(value.size()));
    m_data += value;
    ++m_count;
}

void binary_array::add(message_id const& id) {
    add(std::string_view{reinterpret_cast<char const*>(id.bytes().data()), id.bytes().size()});
}

void binary_array::add_or_null(std::string_view value) {
    if (value.empty()) {
        add_null();
    } else {
        add(value);
    }
}

void binary_array::add_null() {
    append_big_endian(m_data, null_length);
    ++m_count;
    ++m_nulls;
}

void binary_array::add_int8(std::int64_t value) {
    append_big_endian(m_data, std::uint32_t{sizeof value});
    append_big_endian(m_data, static_cast<std::uint64_t>(value));
    ++m_count;
}

std::span<std::byte const> binary_array::finish() {
    std::string header;
    append_big_endian(header, std::uint32_t{m_count > 0 ? 1U : 0U}); // dimensions
    append_big_endian(header, std::uint32_t{m_nulls > 0 ? 1U : 0U});
    append_big_endian(header, static_cast<std::uint32_t>(m_type));
    append_big_endian(header, m_count);
    append_big_endian(header, std::uint32_t{1}); // index of the first element
    m_data.replace(0, header_bytes, header);
    // An array without elements has no dimensions, so none is described.
    return std::as_bytes(std::span{m_data}.first(m_count > 0 ? m_data.size() : 12));
}

binary_array text_array(std::span<std::string const> texts) {
    binary_array made{element_type::text};
    for (auto const& text : texts) {
        made.add(text);
    }
    return made;
}

} // namespace once::detail
