# Third-party libraries, all from Debian 12. Each is linked by the library that uses it and by no other.
find_package(Boost 1.81 REQUIRED)   # headers only: DLL, Asio, Beast, CRC
find_package(OpenSSL REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
# Debian's libzstd-dev brings no CMake package.
find_library(TOKOMETER_ZSTD zstd REQUIRED)
find_path(TOKOMETER_ZSTD_INCLUDE zstd.h REQUIRED)
add_library(tokometer_zstd INTERFACE)
target_link_libraries(tokometer_zstd INTERFACE ${TOKOMETER_ZSTD})
target_include_directories(tokometer_zstd SYSTEM INTERFACE ${TOKOMETER_ZSTD_INCLUDE})
# Nor does libnghttp2-dev.
find_library(TOKOMETER_NGHTTP2 nghttp2 REQUIRED)
find_path(TOKOMETER_NGHTTP2_INCLUDE nghttp2/nghttp2.h REQUIRED)
add_library(tokometer_nghttp2 INTERFACE)
target_link_libraries(tokometer_nghttp2 INTERFACE ${TOKOMETER_NGHTTP2})
target_include_directories(tokometer_nghttp2 SYSTEM INTERFACE ${TOKOMETER_NGHTTP2_INCLUDE})
# Nor does liburing-dev.
find_library(TOKOMETER_URING uring REQUIRED)
find_path(TOKOMETER_URING_INCLUDE liburing.h REQUIRED)
add_library(tokometer_uring INTERFACE)
target_link_libraries(tokometer_uring INTERFACE ${TOKOMETER_URING})
target_include_directories(tokometer_uring SYSTEM INTERFACE ${TOKOMETER_URING_INCLUDE})
# Protobuf's lite runtime, without CMake's module, which would bring the full one.
find_program(TOKOMETER_PROTOC protoc REQUIRED)
find_library(TOKOMETER_PROTOBUF protobuf-lite REQUIRED)
find_path(TOKOMETER_PROTOBUF_INCLUDE google/protobuf/message_lite.h REQUIRED)
add_library(tokometer_protobuf INTERFACE)
target_link_libraries(tokometer_protobuf INTERFACE ${TOKOMETER_PROTOBUF})
target_include_directories(tokometer_protobuf SYSTEM INTERFACE ${TOKOMETER_PROTOBUF_INCLUDE})

# tokometer_add_library(NAME SOURCES... DEPENDS... PRIVATE_DEPENDS...): one static library a folder of core/.
function(tokometer_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(tokometer_${name} STATIC ${arg_SOURCES})
  target_include_directories(tokometer_${name} PUBLIC ${PROJECT_SOURCE_DIR}/core)
  target_link_libraries(tokometer_${name}
    PUBLIC tokometer_sdk ${arg_DEPENDS}
    PRIVATE tokometer_options ${arg_PRIVATE_DEPENDS})
endfunction()
