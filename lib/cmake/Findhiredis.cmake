# Finds hiredis, the client library of Redis, and provides the target hiredis::hiredis.
#
# The CMake package of older versions has no target, so pkg-config is asked first.
include(FindPackageHandleStandardArgs)
find_package(PkgConfig QUIET)
if(NOT TARGET hiredis::hiredis AND PkgConfig_FOUND)
  pkg_check_modules(once_pc_hiredis QUIET IMPORTED_TARGET hiredis)
  if(once_pc_hiredis_FOUND)
    set(hiredis_VERSION "${once_pc_hiredis_VERSION}")
    add_library(hiredis::hiredis INTERFACE IMPORTED)
    target_link_libraries(hiredis::hiredis INTERFACE PkgConfig::once_pc_hiredis)
    # It asks for _FILE_OFFSET_BITS, which nothing in its headers depends on, and which would keep users from precompiling.
    set_property(TARGET PkgConfig::once_pc_hiredis PROPERTY INTERFACE_COMPILE_OPTIONS "")
  endif()
endif()
if(NOT TARGET hiredis::hiredis)
  set(once_hiredis_wanted "${hiredis_FIND_VERSION}")
  set(hiredis_FIND_VERSION "")
  find_package(hiredis CONFIG QUIET)
  set(hiredis_FIND_VERSION "${once_hiredis_wanted}")
  if(TARGET hiredis::hiredis_static AND NOT TARGET hiredis::hiredis)
    add_library(hiredis::hiredis INTERFACE IMPORTED)
    target_link_libraries(hiredis::hiredis INTERFACE hiredis::hiredis_static)
  endif()
endif()
if(TARGET hiredis::hiredis)
  set(hiredis_TARGET hiredis::hiredis)
endif()
find_package_handle_standard_args(hiredis
  REQUIRED_VARS hiredis_TARGET
  VERSION_VAR hiredis_VERSION)
