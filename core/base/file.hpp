// Files as a run needs them: read with a limit, published whole or not at all, appended to, and directories
// that never existed before. Every system call that can fail passes one seam, where tests make the n-th call
// fail. Errors name the path and the system's reason. EINTR and short writes are handled here.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer {

// Owns a file descriptor; closes it once.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept;  // the caller closes it from now on
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// The whole of a regular file. Refused: directories, FIFOs, devices (without blocking), more than max_bytes.
Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes);

// Readers see the old file or the whole new one: temporary file (0600) beside it, fsync, rename, fsync of the
// directory. On failure the temporary file is removed and the old one is untouched.
Result<void> publish_file(const std::filesystem::path& path, std::string_view bytes);

// An append-only file of mode 0600. One thread at a time. After a failed append the last bytes may be there
// in part.
class AppendFile {
 public:
  // Never opens an existing file.
  static Result<AppendFile> create(const std::filesystem::path& path);

  Result<void> append(std::string_view bytes);
  // fdatasync. After a failure what is on the disk is unknown: do not retry and trust.
  Result<void> sync();
  int fd() const noexcept { return file_.get(); }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  AppendFile(Descriptor file, std::filesystem::path path) : file_(std::move(file)), path_(std::move(path)) {}
  Descriptor file_;
  std::filesystem::path path_;
};

// Makes parent/name with mode 0700 and returns its path; missing parents are made too. An existing entry of
// that name, of any kind, is an error. `name` is one path component.
Result<std::filesystem::path> make_fresh_directory(const std::filesystem::path& parent,
                                                   std::string_view name);

// fsync of a directory, so that the names in it survive a power loss.
Result<void> sync_directory(const std::filesystem::path& path);

enum class FileCall { open, read, write, sync, rename, mkdir };

// Tests only: called before each system call; returns 0 to go on or the errno to fail with. An empty function
// removes the hook. Set it while no other thread uses files.
void set_file_fault(std::function<int(FileCall)> fault);

}  // namespace tokometer
