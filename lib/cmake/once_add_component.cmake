# once_add_component(NAME
#   SOURCES file...         relative to the calling folder, like HEADERS
#   HEADERS file...         public headers, below include/
#   [PUBLIC target...]      libraries that its headers need, besides once::once
#   [PRIVATE target...]     libraries that only its sources need
#   [FIND call...]          what find_dependency() is given in the package, for example "OpenSSL 3"
#   [PKGCONFIG module...]   the same for pkg-config, for example "openssl >= 3"
#   [DEBIAN package...])    what the development package depends on, for example "libssl-dev"
#
# An optional part of the library: target once::NAME, built with -DONCE_WITH_<NAME>=ON, found with
# find_package(once COMPONENTS NAME), and with pkg-config as once_NAME. Call it in lib/NAME/CMakeLists.txt, after the
# find_package() calls of the component, and add NAME to once_components in lib/CMakeLists.txt.
#
# The component has an export header of its own, once/NAME/export.hpp with ONCE_<NAME>_EXPORT.
function(once_add_component name)
  cmake_parse_arguments(PARSE_ARGV 1 part "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE;FIND;PKGCONFIG;DEBIAN")
  if(part_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "once_add_component(${name}): unknown ${part_UNPARSED_ARGUMENTS}")
  endif()
  string(TOUPPER "${name}" upper)
  set(target once_${name})
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/include")

  add_library(${target} ${part_SOURCES})
  add_library(once::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    # A program that names only the component has no path to libonce, and the path of a program does not count for what its
    # libraries need.
    INSTALL_RPATH "$ORIGIN"
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINKER_LANGUAGE CXX
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PUBLIC once::once ${part_PUBLIC} PRIVATE ${part_PRIVATE})
  generate_export_header(${target} BASE_NAME ONCE_${upper} EXPORT_FILE_NAME "${generated}/once/${name}/export.hpp")
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    target_compile_definitions(${target} PUBLIC ONCE_${upper}_STATIC_DEFINE)
  endif()
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS include FILES ${part_HEADERS}
    FILE_SET generated TYPE HEADERS BASE_DIRS "${generated}" FILES "${generated}/once/${name}/export.hpp")
  target_include_directories(${target} PRIVATE src)

  if(ONCE_INSTALL)
    install(TARGETS ${target} EXPORT once_${name}Targets
      LIBRARY COMPONENT ${ONCE_RUNTIME} NAMELINK_COMPONENT ${ONCE_DEVELOPMENT}
      ARCHIVE COMPONENT ${ONCE_DEVELOPMENT}
      FILE_SET HEADERS COMPONENT ${ONCE_DEVELOPMENT}
      FILE_SET generated COMPONENT ${ONCE_DEVELOPMENT})
    install(EXPORT once_${name}Targets NAMESPACE once:: DESTINATION "${once_package_dir}" COMPONENT ${ONCE_DEVELOPMENT})
    set(lines "")
    foreach(call IN LISTS part_FIND)
      string(APPEND lines "find_dependency(${call})\n")
    endforeach()
    file(CONFIGURE OUTPUT once_${name}Config.cmake CONTENT
      "${lines}include(\"\${CMAKE_CURRENT_LIST_DIR}/once_${name}Targets.cmake\")\n" @ONLY)
    install(FILES "${CMAKE_CURRENT_BINARY_DIR}/once_${name}Config.cmake"
      DESTINATION "${once_package_dir}" COMPONENT ${ONCE_DEVELOPMENT})
    string(JOIN ", " requires "once = ${PROJECT_VERSION}" ${part_PKGCONFIG})
    once_install_pkgconfig(${target} "${PROJECT_DESCRIPTION}: ${name}" ONCE_${upper}_STATIC_DEFINE "${requires}" "")
    set_property(GLOBAL APPEND PROPERTY ONCE_DEBIAN_DEPENDS ${part_DEBIAN})
  endif()
endfunction()

# once_install_pkgconfig(TARGET DESCRIPTION DEFINE REQUIRES REQUIRES_PRIVATE): DEFINE is set for users of an archive.
# The variables more_cflags and more_libs go behind its own.
function(once_install_pkgconfig name description define requires requires_private)
  get_target_property(type ${name} TYPE)
  set(cflags "")
  if(type STREQUAL "STATIC_LIBRARY")
    # Who links an archive needs what it needs; without --static, pkg-config hands on only Requires.
    string(JOIN ", " requires ${requires} ${requires_private})
    set(requires_private "")
    set(cflags " -D${define}")
  endif()
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  configure_file("${PROJECT_SOURCE_DIR}/lib/cmake/once.pc.in" ${name}.pc @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT ${ONCE_DEVELOPMENT})
endfunction()
