# tokometer_add_plugin(NAME SOURCES... [OUTPUT_DIRECTORY DIR]): builds NAME.so, a plugin that exports tkm_module_v1 and
# nothing else, from C or C++20. Works in this tree and, through find_package(tokometer), in a third party's. In this
# tree a plugin without OUTPUT_DIRECTORY is a bundled one: it lies beside the program and is installed with it.
set(_tokometer_plugin_map ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(tokometer_add_plugin name)
  cmake_parse_arguments(arg "" "OUTPUT_DIRECTORY" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tokometer::sdk $<TARGET_NAME_IF_EXISTS:tokometer_options>)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if(CXX IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_20)
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${_tokometer_plugin_map})
  # Visibility alone leaks std:: templates; the version script does not.
  target_link_options(${name} PRIVATE -Wl,--version-script=${_tokometer_plugin_map})
  if(NOT TOKOMETER_SANITIZE)   # a sanitizer's runtime is found in the program, not in the plugin
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(arg_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${arg_OUTPUT_DIRECTORY})
  elseif(TOKOMETER_PLUGIN_OUTPUT_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${TOKOMETER_PLUGIN_OUTPUT_DIRECTORY})
    if(NOT TARGET bundled_plugins)
      add_custom_target(bundled_plugins)
    endif()
    add_dependencies(bundled_plugins ${name})
    # lib/ and not lib/<triplet>/: the program looks for ../lib beside itself.
    install(TARGETS ${name} LIBRARY DESTINATION lib/${TOKOMETER_PLUGIN_SUBDIR} COMPONENT program)
  endif()
endfunction()
