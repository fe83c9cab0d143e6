# Finds libpqxx and provides the target libpqxx::pqxx.
#
# libpqxx's own CMake package and Conan's define that target; Debian and Ubuntu ship only a pkg-config file. The
# package's version is checked here and not by find_package(CONFIG), because libpqxx's own version file refuses every
# other major version, while once works with 7.10 and later as well as with 8.
include(FindPackageHandleStandardArgs)

# Without a version of its own this call would take over the range that we were asked for, and be refused.
set(once_libpqxx_wanted "${libpqxx_FIND_VERSION_COMPLETE}")
set(libpqxx_FIND_VERSION_COMPLETE "")
find_package(libpqxx CONFIG QUIET)
set(libpqxx_FIND_VERSION_COMPLETE "${once_libpqxx_wanted}")

if(NOT TARGET libpqxx::pqxx)
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(once_pc_libpqxx QUIET IMPORTED_TARGET libpqxx)
    if(once_pc_libpqxx_FOUND)
      set(libpqxx_VERSION "${once_pc_libpqxx_VERSION}")
      add_library(libpqxx::pqxx INTERFACE IMPORTED)
      target_link_libraries(libpqxx::pqxx INTERFACE PkgConfig::once_pc_libpqxx)
    endif()
  endif()
endif()

if(TARGET libpqxx::pqxx)
  set(libpqxx_TARGET libpqxx::pqxx)
endif()
find_package_handle_standard_args(libpqxx
  REQUIRED_VARS libpqxx_TARGET
  VERSION_VAR libpqxx_VERSION
  HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE
    "once needs libpqxx 7.10 or later, below 9. In a checkout of once, tools/dev/dependencies gets it into build/deps")
