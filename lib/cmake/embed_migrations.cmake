# usage: cmake -D folder=MIGRATIONS -D output=FILE.cpp -P embed_migrations.cmake
#
# Writes the migrations as a C++ file, so that a program has them without knowing a path.
cmake_minimum_required(VERSION 3.25)

file(GLOB ups RELATIVE "${folder}" "${folder}/*.up.sql")
list(SORT ups)

set(entries "")
set(count 0)
foreach(up IN LISTS ups)
  math(EXPR count "${count} + 1")
  string(REGEX REPLACE "\\.up\\.sql$" "" name "${up}")
  set(down "${name}.down.sql")
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
    message(FATAL_ERROR "${folder}/${up}: the name must be NNNN_what.up.sql")
  endif()
  # 0010 is eight in C++.
  string(REGEX REPLACE "^0+" "" version "${CMAKE_MATCH_1}")
  if(NOT version EQUAL count)
    message(FATAL_ERROR "${folder}/${up}: number ${count} is missing, or there twice")
  endif()
  if(NOT EXISTS "${folder}/${down}")
    message(FATAL_ERROR "${folder}/${down} is missing")
  endif()
  foreach(direction IN ITEMS up down)
    file(READ "${folder}/${name}.${direction}.sql" ${direction}_text)
    if("${${direction}_text}" MATCHES "\\)once_sql\"")
      message(FATAL_ERROR "${folder}/${name}.${direction}.sql holds )once_sql\", which ends the C++ text around it")
    endif()
  endforeach()
  file(SHA256 "${folder}/${up}" checksum)
  string(APPEND entries
    "    {${version}, \"${name}\", R\"once_sql(${up_text})once_sql\", R\"once_sql(${down_text})once_sql\", \"${checksum}\"},\n")
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "no *.up.sql in ${folder}")
endif()

set(text "// Made from migrations/ by lib/cmake/embed_migrations.cmake.
#include <once/migrations.hpp>

#include <array>

namespace once {

namespace {

constexpr std::array<migration, ${count}> all{{
${entries}}};

} // namespace

std::span<migration const> migrations() noexcept {
    return all;
}

} // namespace once
")
file(WRITE "${output}" "${text}")
