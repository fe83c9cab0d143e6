# Finds librdkafka, the client library of Kafka, and provides the target rdkafka::rdkafka.
#
# Debian has no CMake package of it, and its own and that of Conan have the target RdKafka::rdkafka.
include(FindPackageHandleStandardArgs)
find_package(PkgConfig QUIET)
if(NOT TARGET rdkafka::rdkafka AND PkgConfig_FOUND)
  pkg_check_modules(once_pc_rdkafka QUIET IMPORTED_TARGET rdkafka)
  if(once_pc_rdkafka_FOUND)
    set(rdkafka_VERSION "${once_pc_rdkafka_VERSION}")
    add_library(rdkafka::rdkafka INTERFACE IMPORTED)
    target_link_libraries(rdkafka::rdkafka INTERFACE PkgConfig::once_pc_rdkafka)
  endif()
endif()
if(NOT TARGET rdkafka::rdkafka)
  find_package(RdKafka CONFIG QUIET)
  if(TARGET RdKafka::rdkafka)
    set(rdkafka_VERSION "${RdKafka_VERSION}")
    add_library(rdkafka::rdkafka INTERFACE IMPORTED)
    target_link_libraries(rdkafka::rdkafka INTERFACE RdKafka::rdkafka)
  endif()
endif()
if(TARGET rdkafka::rdkafka)
  set(rdkafka_TARGET rdkafka::rdkafka)
endif()
find_package_handle_standard_args(rdkafka
  REQUIRED_VARS rdkafka_TARGET
  VERSION_VAR rdkafka_VERSION)
