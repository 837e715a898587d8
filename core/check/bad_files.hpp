// Files that are not there, or that no component likes: what those who read files are given in their tests.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "check/subject.hpp"

namespace tokometer::check {

// The subject's options with the option `name` set to `path`; nothing: its schema refuses the path.
std::optional<std::string> options_with_path(const Subject& subject, const std::string& name,
                                             const std::string& path);

// A folder with such files; removed at the end. Empty where it cannot be made.
class BadFiles {
 public:
  BadFiles();
  ~BadFiles();
  BadFiles(const BadFiles&) = delete;
  BadFiles& operator=(const BadFiles&) = delete;
  const std::vector<std::filesystem::path>& paths() const { return paths_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> paths_;
};

}  // namespace tokometer::check
