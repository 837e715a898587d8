// What the loader's tests share: where the fixture plugins are, scratch folders, and components by name.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "plugin/library.hpp"
#include "plugin/registry.hpp"

namespace tokometer::fixtures {

namespace fs = std::filesystem;

inline fs::path good(const std::string& module) {
  return fs::canonical(TOKOMETER_BUILD_DIR "/tests/plugins/good") / (module + ".so");
}
inline fs::path bad(const std::string& module) {
  return fs::canonical(TOKOMETER_BUILD_DIR "/tests/plugins/bad") / (module + ".so");
}

// A folder of mode 0755 that is gone at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "tokometer-test-XXXXXX").string();
    path_ = fs::canonical(mkdtemp(name.data()));
    fs::permissions(path_, fs::perms(0755));
  }
  ~ScratchFolder() { fs::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline std::string read_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  fs::permissions(path, fs::perms(0644));
}

inline const Component& component(const fs::path& file, int32_t kind) {
  const auto components = load_library(file, Trust::check);
  REQUIRE_MESSAGE(components.ok(), to_string(components.error()));
  for (const Component& each : **components) {
    if (each.kind() == kind) return each;
  }
  FAIL("no such component");
  abort();
}

template <class T>
std::string all_messages(const Result<T>& result) {
  std::string text;
  if (result.ok()) return text;
  for (const Error& error : result.errors()) text += to_string(error) + "\n";
  return text;
}

}  // namespace tokometer::fixtures
