# One program for each component that was built: components/NAME.cpp uses the public headers of once::NAME.
foreach(component IN LISTS components)
  add_executable(consumer_${component} "${CMAKE_CURRENT_LIST_DIR}/components/${component}.cpp")
  target_link_libraries(consumer_${component} PRIVATE once::${component})
endforeach()
