# Finds cpp-httplib, for the example web service and its tests, and provides the target cpp-httplib::cpp-httplib.
#
# Debian 12 and Ubuntu 24.04 ship a shared library with a pkg-config file; other packages come with a CMake package
# named httplib.
include(FindPackageHandleStandardArgs)

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(once_pc_httplib QUIET IMPORTED_TARGET cpp-httplib)
endif()
if(once_pc_httplib_FOUND)
  set(cpp-httplib_VERSION "${once_pc_httplib_VERSION}")
  set(once_httplib_target PkgConfig::once_pc_httplib)
else()
  find_package(httplib CONFIG QUIET)
  set(cpp-httplib_VERSION "${httplib_VERSION}")
  if(TARGET httplib::httplib)
    set(once_httplib_target httplib::httplib)
  endif()
endif()

find_package_handle_standard_args(cpp-httplib
  REQUIRED_VARS once_httplib_target
  VERSION_VAR cpp-httplib_VERSION)

if(cpp-httplib_FOUND AND NOT TARGET cpp-httplib::cpp-httplib)
  add_library(cpp-httplib::cpp-httplib INTERFACE IMPORTED)
  target_link_libraries(cpp-httplib::cpp-httplib INTERFACE ${once_httplib_target})
  # Newer versions call libcrypto in their header, and their pkg-config file does not say so.
  if(once_pc_httplib_CFLAGS_OTHER MATCHES "CPPHTTPLIB_OPENSSL_SUPPORT")
    find_package(OpenSSL QUIET)
    if(OpenSSL_FOUND)
      target_link_libraries(cpp-httplib::cpp-httplib INTERFACE OpenSSL::Crypto)
    endif()
  endif()
endif()
