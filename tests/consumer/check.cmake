# Installs the built library into an empty folder, builds the project beside this file against it, and runs it.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE "${work}")

execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --config "${config}" --prefix "${work}/prefix"
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

set(hints)
foreach(package IN ITEMS libpqxx nlohmann_json)
  if(${package}_DIR)
    list(APPEND hints "-D${package}_DIR=${${package}_DIR}")
  endif()
endforeach()
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${source}" -B "${work}/build" -G "${generator}"
  "-DCMAKE_BUILD_TYPE=${config}" "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_FLAGS=${flags}"
  "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DWITH_HTTP=${http}" ${hints}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${work}/build" --config "${config}" COMMAND_ERROR_IS_FATAL ANY)

execute_process(COMMAND "${work}/build/consumer" OUTPUT_VARIABLE said COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
if(NOT said STREQUAL "once ${version}\n")
  message(FATAL_ERROR "the consumer said '${said}', expected 'once ${version}'")
endif()
