#include "check/bad_files.hpp"

#include <unistd.h>

#include <tokometer/json.hpp>
#include <tokometer/random.hpp>

#include <array>
#include <fstream>
#include <system_error>

#include "check/sample_options.hpp"

namespace tokometer::check {

std::optional<std::string> options_with_path(const Subject& subject, const std::string& name,
                                             const std::string& path) {
  std::string quoted_path;
  tkm::JsonWriter(quoted_path).value(path);
  const auto options =
      canonical_options(*subject.component, with_option(subject.sample_json, name, quoted_path), "/");
  return options ? std::optional(*options) : std::nullopt;
}

BadFiles::BadFiles() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tokometer-check-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return;
  folder_ = pattern;
  tkm::Random random(3, "files");
  std::string noise(4096, '\0');
  for (char& byte : noise) byte = static_cast<char>(random.below(256));
  const std::array<std::string, 6> contents{"",          "\n\n\n", "{\"a\":", std::string(100'000, '['),
                                            "caf\xe9\n", noise};
  for (const std::string& content : contents) {
    paths_.push_back(folder_ / (std::to_string(paths_.size()) + ".bad"));
    std::ofstream(paths_.back(), std::ios::binary) << content;
  }
  paths_.push_back(folder_);  // a folder is no file
}

BadFiles::~BadFiles() {
  std::error_code failure;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, failure);
}

}  // namespace tokometer::check
