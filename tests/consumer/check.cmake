# Builds the project in KIND/ beside this file, as a user would, and runs what it builds.
#   kind        find_package, fetch_content, add_subdirectory, or pkg_config (a plain line with the compiler);
#               install only installs the build of once in the folder build into prefix
#   prefix      where once is installed (find_package, pkg_config)
#   sources     the sources of once (fetch_content, add_subdirectory)
#   shared      ON or OFF: what fetch_content and add_subdirectory build
#   components  the optional components, which must have been built where kind is find_package or pkg_config
#   work, version, generator, config, compiler, flags
#   libpqxx_DIR, nlohmann_json_DIR  where they are, if neither the system nor the installed once has them
# A project that uses an installed once knows nothing of the checkout: paths into it are taken out of the environment.
cmake_minimum_required(VERSION 3.25)

if(kind STREQUAL "install")
  file(REMOVE_RECURSE "${prefix}")
  execute_process(COMMAND "${CMAKE_COMMAND}" --install "${build}" --config "${config}" --prefix "${prefix}"
    OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  # It stays when the checkout goes.
  file(GLOB_RECURSE texts "${prefix}/*.cmake" "${prefix}/*.pc" "${prefix}/*.hpp")
  foreach(text IN LISTS texts)
    file(READ "${text}" content)
    string(FIND "${content}" "${sources}" found)
    if(NOT found EQUAL -1)
      message(FATAL_ERROR "${text} names the checkout that once was built in, ${sources}")
    endif()
  endforeach()
  return()
endif()

file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")
if(kind MATCHES "^(find_package|pkg_config)$")
  unset(ENV{PKG_CONFIG_PATH})
  unset(ENV{CMAKE_PREFIX_PATH})
endif()

if(kind STREQUAL "pkg_config")
  file(GLOB_RECURSE found "${prefix}/once.pc")
  cmake_path(GET found PARENT_PATH folder)
  set(ENV{PKG_CONFIG_PATH} "${folder}")
  if(libpqxx_DIR)
    set(ENV{PKG_CONFIG_PATH} "$ENV{PKG_CONFIG_PATH}:${libpqxx_DIR}/../../pkgconfig")
  endif()
  execute_process(COMMAND pkg-config --modversion once OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said STREQUAL "${version}\n")
    message(FATAL_ERROR "pkg-config says version '${said}'")
  endif()
  cmake_path(GET folder PARENT_PATH libraries)
  foreach(part IN ITEMS consumer ${components})
    if(part STREQUAL "consumer")
      set(line "${flags} ${CMAKE_CURRENT_LIST_DIR}/main.cpp -o ${work}/consumer $(pkg-config --cflags --libs once)")
    else()
      set(line "${flags} ${CMAKE_CURRENT_LIST_DIR}/components/${part}.cpp -o ${work}/consumer_${part} $(pkg-config --cflags --libs once_${part})")
    endif()
    execute_process(COMMAND sh -c "${compiler} -std=c++20 ${line} -Wl,-rpath,${libraries}"
      COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  set(programs "${work}")
else()
  set(arguments "")
  if(kind STREQUAL "find_package")
    set(ENV{CMAKE_PREFIX_PATH} "${prefix}")
  else()
    set(arguments "-DBUILD_SHARED_LIBS=${shared}" "-Donce_sources=${sources}" "-DFETCHCONTENT_SOURCE_DIR_ONCE=${sources}"
      -DFETCHCONTENT_TRY_FIND_PACKAGE_MODE=NEVER)
  endif()
  foreach(package IN ITEMS libpqxx nlohmann_json)
    if(${package}_DIR)
      list(APPEND arguments "-D${package}_DIR=${${package}_DIR}")
    endif()
  endforeach()
  execute_process(COMMAND "${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${kind}" -B "${work}/build" -G "${generator}"
    "-DCMAKE_BUILD_TYPE=${config}" "-DCMAKE_CXX_COMPILER=${compiler}" "-DCMAKE_CXX_FLAGS=${flags}"
    "-Dcomponents=${components}" ${arguments}
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${work}/build" --config "${config}" COMMAND_ERROR_IS_FATAL ANY)
  set(programs "${work}/build")
endif()

execute_process(COMMAND "${programs}/consumer" OUTPUT_VARIABLE said COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
if(NOT said STREQUAL "once ${version}\n")
  message(FATAL_ERROR "the consumer said '${said}', expected 'once ${version}'")
endif()
foreach(component IN LISTS components)
  execute_process(COMMAND "${programs}/consumer_${component}" COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endforeach()
if(shared)
  execute_process(COMMAND ldd "${programs}/consumer" OUTPUT_VARIABLE libraries COMMAND_ERROR_IS_FATAL ANY)
  if(NOT libraries MATCHES "libonce\\.so")
    message(FATAL_ERROR "the consumer is not linked with the shared library:\n${libraries}")
  endif()
endif()
