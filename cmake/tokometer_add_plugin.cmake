# tokometer_add_plugin(NAME SOURCES... [OUTPUT_DIRECTORY DIR]): builds NAME.so, a plugin that exports tkm_module_v1 and
# nothing else. Works in this tree and, through find_package(tokometer), in a third party's.
set(_tokometer_cmake_dir ${CMAKE_CURRENT_LIST_DIR})

function(tokometer_add_plugin name)
  cmake_parse_arguments(arg "" "OUTPUT_DIRECTORY" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  if(TARGET tokometer_sdk)
    target_link_libraries(${name} PRIVATE tokometer_sdk)
  else()
    target_link_libraries(${name} PRIVATE tokometer::sdk)
  endif()
  set(map ${_tokometer_cmake_dir}/plugin.map)
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${map})
  # Visibility alone leaks std:: templates; the version script does not.
  target_link_options(${name} PRIVATE -Wl,--version-script=${map})
  if(NOT TOKOMETER_SANITIZE)   # a sanitizer's runtime is found in the program, not in the plugin
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(arg_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${arg_OUTPUT_DIRECTORY})
  elseif(TOKOMETER_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${TOKOMETER_PLUGIN_OUTPUT_DIRECTORY})
  endif()
endfunction()
