# Finds the client library of NATS and provides the target cnats::nats.
#
# Debian's CMake package of cnats names files that Debian does not have, so pkg-config is asked first.
include(FindPackageHandleStandardArgs)
find_package(PkgConfig QUIET)
if(NOT TARGET cnats::nats AND PkgConfig_FOUND)
  pkg_check_modules(once_pc_cnats QUIET IMPORTED_TARGET libnats)
  if(once_pc_cnats_FOUND)
    set(cnats_VERSION "${once_pc_cnats_VERSION}")
    add_library(cnats::nats INTERFACE IMPORTED)
    target_link_libraries(cnats::nats INTERFACE PkgConfig::once_pc_cnats)
  endif()
endif()
if(NOT TARGET cnats::nats)
  set(once_cnats_wanted "${cnats_FIND_VERSION}")
  set(cnats_FIND_VERSION "")
  find_package(cnats CONFIG QUIET)
  set(cnats_FIND_VERSION "${once_cnats_wanted}")
  if(TARGET cnats::nats_static AND NOT TARGET cnats::nats)
    add_library(cnats::nats INTERFACE IMPORTED)
    target_link_libraries(cnats::nats INTERFACE cnats::nats_static)
  endif()
endif()
if(TARGET cnats::nats)
  set(cnats_TARGET cnats::nats)
endif()
find_package_handle_standard_args(cnats
  REQUIRED_VARS cnats_TARGET
  VERSION_VAR cnats_VERSION)
