// The directory of a run or of a self-test: made new, and gone again with this object unless it is kept.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"

namespace tokometer {

class FreshDirectory {
 public:
  // Errors: it exists already, or cannot be made.
  static Result<FreshDirectory> make(const std::filesystem::path& parent, const std::string& name) {
    auto path = make_fresh_directory(parent, name);
    if (!path) return path.errors();
    return FreshDirectory(std::move(*path));
  }
  FreshDirectory(FreshDirectory&& other) noexcept
      : path_(std::exchange(other.path_, {})), kept_(other.kept_) {}
  FreshDirectory& operator=(FreshDirectory&&) = delete;
  ~FreshDirectory() { remove(); }

  const std::filesystem::path& path() const { return path_; }
  void keep() { kept_ = true; }
  void remove() noexcept {
    std::error_code error;
    if (!path_.empty() && !kept_) std::filesystem::remove_all(path_, error);
  }

 private:
  explicit FreshDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace tokometer
