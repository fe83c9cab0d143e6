# Debian packages of an installed once: `cpack -G DEB` in a build folder, configured with CMAKE_INSTALL_PREFIX=/usr.
#
# A package's list of dependencies names the versions that it was built with, so build it on the Debian that it is for.
# libpqxx is recent enough from Debian 13 on; before, the package brings the one that it was built with.
include(GNUInstallDirs)
get_target_property(once_type once TYPE)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME once)
set(CPACK_PACKAGE_VENDOR "The once authors")
set(CPACK_PACKAGE_CONTACT "The once authors <once@example.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_STRIP_FILES ON)
set(same_version "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

# libpqxx keeps its binary interface within a minor version only.
string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" unused "${libpqxx_VERSION}")
math(EXPR next "${CMAKE_MATCH_2} + 1")
set(pqxx "libpqxx-dev (>= ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}), libpqxx-dev (<< ${CMAKE_MATCH_1}.${next}~)")
if(once_bundled_libpqxx)
  set(pqxx "")
endif()

set(CPACK_COMPONENTS_ALL ${ONCE_TOOL} ${ONCE_DEVELOPMENT})

set(CPACK_COMPONENT_ONCE_DESCRIPTION "${PROJECT_DESCRIPTION}: the schema
 SQL files of the schema, in /usr/share/once/migrations.")
set(CPACK_DEBIAN_ONCE_PACKAGE_NAME once)
set(CPACK_DEBIAN_ONCE_PACKAGE_SECTION database)
# What a program needs is found by dpkg-shlibdeps; without one, the package is the same on every machine.
set(CPACK_DEBIAN_ONCE_PACKAGE_SHLIBDEPS ON)
if(NOT TARGET once_command)
  set(CPACK_DEBIAN_ONCE_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_ONCE_PACKAGE_SHLIBDEPS OFF)
endif()

set(CPACK_COMPONENT_LIBONCE-DEV_DESCRIPTION "${PROJECT_DESCRIPTION}: for building programs
 Headers, library, and files for CMake and pkg-config.")
set(CPACK_DEBIAN_LIBONCE-DEV_PACKAGE_NAME libonce-dev)
set(CPACK_DEBIAN_LIBONCE-DEV_PACKAGE_SECTION libdevel)
get_property(more GLOBAL PROPERTY ONCE_DEBIAN_DEPENDS)
string(JOIN ", " CPACK_DEBIAN_LIBONCE-DEV_PACKAGE_DEPENDS
  "once ${same_version}" ${pqxx} "libpq-dev" "nlohmann-json3-dev (>= 3.11)" ${more})

if(once_type STREQUAL "SHARED_LIBRARY")
  set(soname "libonce${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
  list(APPEND CPACK_COMPONENTS_ALL ${ONCE_RUNTIME})
  set(CPACK_COMPONENT_LIBONCE_DESCRIPTION "${PROJECT_DESCRIPTION}: shared library
 What programs need that are linked with it.")
  set(CPACK_DEBIAN_LIBONCE_PACKAGE_NAME "${soname}")
  set(CPACK_DEBIAN_LIBONCE_PACKAGE_SECTION libs)
  set(CPACK_DEBIAN_LIBONCE_PACKAGE_SHLIBDEPS ON)
  string(APPEND CPACK_DEBIAN_LIBONCE-DEV_PACKAGE_DEPENDS ", ${soname} ${same_version}")
  # The command is linked with libraries of this build, which dpkg-shlibdeps cannot know.
  if(TARGET once_command)
    set(CPACK_DEBIAN_ONCE_PACKAGE_DEPENDS "${soname} ${same_version}")
  endif()
  get_property(built GLOBAL PROPERTY ONCE_BUILT_COMPONENTS)
  list(TRANSFORM built PREPEND once_)
  foreach(library IN LISTS built ITEMS once)
    get_target_property(folder ${library} BINARY_DIR)
    list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${folder}")
  endforeach()
endif()

# Each package carries the licence where Debian looks for it.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER "${component}" upper)
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" RENAME copyright COMPONENT ${component}
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME}")
endforeach()

include(CPack)
