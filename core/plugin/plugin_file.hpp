// A plugin's .so, opened once and checked before anything of it runs: what it is, and who could have changed
// it. The loader keeps it open until the module is loaded, to see that it was this very file.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/file.hpp"
#include "plugin/elf_note.hpp"

namespace tokometer {

class PluginFile {
 public:
  // Follows links to the real path; a regular file, else an error that names `path`.
  static Result<PluginFile> open(const std::filesystem::path& path);

  const std::filesystem::path& real_path() const { return real_path_; }
  const struct stat& facts() const { return facts_; }
  uint64_t size() const { return static_cast<uint64_t>(facts_.st_size); }
  ReadAt reader() const;  // valid while this object lives
  // Is this still the file that its path leads to?
  bool is_still_there() const;

 private:
  PluginFile(Descriptor file, std::filesystem::path real_path, const struct stat& facts)
      : file_(std::move(file)), real_path_(std::move(real_path)), facts_(facts) {}
  Descriptor file_;
  std::filesystem::path real_path_;
  struct stat facts_;
};

// Whose files may be loaded: root's and the user's own. A group counts as the user's own if it is the private
// group that Debian gives each user (same name, no further members).
struct Reader {
  uid_t user;
  std::optional<gid_t> private_group;
  static Reader current();
};

// "/opt/p is writable by others", or nothing if only root and the reader can change it. In a sticky folder
// nobody can replace another's file.
std::optional<std::string> reason_for_distrust(const std::filesystem::path& path, const struct stat& facts,
                                               const Reader& reader);

// The file and every folder above it.
Result<void> check_trust(const PluginFile& file);

}  // namespace tokometer
