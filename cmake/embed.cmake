# tokometer_embed(TARGET SYMBOL FILE): makes the text of FILE available as
#   extern const std::string_view tokometer::embedded::SYMBOL;   (declare it where it is used)
function(tokometer_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${symbol}.cpp)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol} -P ${PROJECT_SOURCE_DIR}/cmake/embed_script.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed_script.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
