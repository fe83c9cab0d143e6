echo Restoring environment
export PKG_CONFIG_PATH='/work/package/build/deps/lib/pkgconfig'
export CMAKE_PREFIX_PATH='/work/package/build/deps'
