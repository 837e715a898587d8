# Warnings and hardening for our own code. Vendor headers come in as SYSTEM and stay silent.
find_package(Threads REQUIRED)

add_library(tokometer_options INTERFACE)
target_compile_options(tokometer_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow
  $<$<BOOL:${TOKOMETER_WARNINGS_AS_ERRORS}>:-Werror>
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
  -ftrivial-auto-var-init=zero
  # clang 14 wants this said aloud before it takes "=zero"; later versions ignore it
  $<$<CXX_COMPILER_ID:Clang>:-enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang>)
target_compile_definitions(tokometer_options INTERFACE
  _GLIBCXX_ASSERTIONS)
target_link_options(tokometer_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

set(TOKOMETER_SANITIZE "" CACHE STRING "Sanitizers to build with, for example address,undefined or thread")
if(TOKOMETER_SANITIZE)
  add_compile_options(-fsanitize=${TOKOMETER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOKOMETER_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitizer_ignorelist.txt)
  endif()
else()
  # _FORTIFY_SOURCE needs optimisation and hides reads from the sanitizers
  target_compile_definitions(tokometer_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
