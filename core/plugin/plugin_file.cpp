#include "plugin/plugin_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tokometer {
namespace {

Error cannot_open(const std::string& path, int error) {
  if (error == ENOENT) return {"no such file", path};
  if (error == ELOOP) return {"not a regular file", path};
  return {"cannot be opened: " + std::generic_category().message(error), path};
}

bool others_can_write(const struct stat& facts, const Reader& reader) {
  if ((facts.st_mode & S_IWOTH) != 0) return true;
  return (facts.st_mode & S_IWGRP) != 0 && reader.private_group != facts.st_gid;
}

}  // namespace

Result<PluginFile> PluginFile::open(const std::filesystem::path& path) {
  std::error_code failure;
  const std::filesystem::path real = std::filesystem::canonical(path, failure);
  if (failure) return cannot_open(path.string(), failure.value());
  // Not blocking, so that a FIFO under this name cannot hold us.
  Descriptor file(::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return cannot_open(path.string(), errno);
  struct stat facts {};
  if (fstat(file.get(), &facts) != 0) return cannot_open(path.string(), errno);
  if (!S_ISREG(facts.st_mode)) return Error{"not a regular file", path.string()};
  return PluginFile(std::move(file), real, facts);
}

ReadAt PluginFile::reader() const {
  return [this](uint64_t offset, size_t size) -> std::optional<std::string> {
    if (offset > this->size() || size > this->size() - offset) return std::nullopt;
    std::string bytes(size, '\0');
    size_t got = 0;
    while (got < size) {
      const ssize_t more =
          pread(file_.get(), bytes.data() + got, size - got, static_cast<off_t>(offset + got));
      if (more < 0 && errno == EINTR) continue;
      if (more <= 0) return std::nullopt;
      got += static_cast<size_t>(more);
    }
    return bytes;
  };
}

bool PluginFile::is_still_there() const {
  struct stat now {};
  return stat(real_path_.c_str(), &now) == 0 && now.st_dev == facts_.st_dev && now.st_ino == facts_.st_ino;
}

Reader Reader::current() {
  Reader reader{geteuid(), std::nullopt};
  const passwd* user = getpwuid(reader.user);
  if (user == nullptr) return reader;
  const std::string name = user->pw_name;
  const group* own = getgrgid(user->pw_gid);
  const auto is_only_member = [&](char** member) { return *member == nullptr || name == *member; };
  if (own != nullptr && name == own->gr_name && is_only_member(own->gr_mem))
    reader.private_group = own->gr_gid;
  return reader;
}

std::optional<std::string> reason_for_distrust(const std::filesystem::path& path, const struct stat& facts,
                                               const Reader& reader) {
  if (facts.st_uid != 0 && facts.st_uid != reader.user) {
    return path.string() + " belongs to user " + std::to_string(facts.st_uid) +
           ", who is neither you nor root";
  }
  const bool is_sticky_folder = S_ISDIR(facts.st_mode) && (facts.st_mode & S_ISVTX) != 0;
  if (!is_sticky_folder && others_can_write(facts, reader)) return path.string() + " is writable by others";
  return std::nullopt;
}

Result<void> check_trust(const PluginFile& file) {
  const Reader reader = Reader::current();
  const auto refuse = [&](const std::string& reason) {
    return Error{reason + "; refused (--trust-plugin-dir)", file.real_path().string()};
  };
  if (auto reason = reason_for_distrust(file.real_path(), file.facts(), reader)) return refuse(*reason);
  std::filesystem::path folder = file.real_path();
  while (folder.has_relative_path()) {
    folder = folder.parent_path();
    struct stat facts {};
    if (stat(folder.c_str(), &facts) != 0) return refuse(folder.string() + " cannot be examined");
    if (auto reason = reason_for_distrust(folder, facts, reader)) return refuse(*reason);
  }
  return {};
}

}  // namespace tokometer
