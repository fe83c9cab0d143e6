# An installed library must not need the checkout that it was built in. Where libpqxx is too old in the distribution,
# tools/dev/dependencies puts a recent one into the checkout; that one is installed with once, into a folder of its own.
# Not into PREFIX/include: there other programs would find it before the libpqxx of the distribution.
#
# Sets once_bundled_libpqxx: the folder, relative to the prefix; empty where libpqxx comes from elsewhere.
set(once_bundled_libpqxx "")
cmake_path(IS_PREFIX PROJECT_SOURCE_DIR "${libpqxx_DIR}" NORMALIZE inside)
if(libpqxx_DIR AND inside)
  set(once_bundled_libpqxx "${CMAKE_INSTALL_LIBDIR}/once/libpqxx")
  cmake_path(SET folder NORMALIZE "${libpqxx_DIR}/../../..")
  # With the layout that it has: its CMake package finds the rest relative to itself.
  install(DIRECTORY "${folder}/include/pqxx" DESTINATION "${once_bundled_libpqxx}/include" COMPONENT ${ONCE_DEVELOPMENT})
  install(DIRECTORY "${folder}/lib/" DESTINATION "${once_bundled_libpqxx}/lib" COMPONENT ${ONCE_DEVELOPMENT}
    FILES_MATCHING
      PATTERN "libpqxx*.a"
      PATTERN "cmake/libpqxx/*.cmake"
      PATTERN "Catch2" EXCLUDE
      PATTERN "pkgconfig" EXCLUDE)
endif()
set(once_bundled_libpqxx "${once_bundled_libpqxx}" PARENT_SCOPE) # the Debian packages depend on it
