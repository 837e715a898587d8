#include "base/file.hpp"

#include <fcntl.h>
#include <string.h>  // strerrordesc_np
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace tokometer {
namespace {

std::atomic<bool> has_fault{false};

std::function<int(FileCall)>& fault_hook() {
  static std::function<int(FileCall)> hook;
  return hook;
}

// Does a system call, unless a test wants it to fail; repeats it when a signal interrupts it.
template <class Call>
auto guarded(FileCall kind, Call call) -> decltype(call()) {
  if (has_fault.load(std::memory_order_relaxed)) {
    if (const int fault = fault_hook()(kind); fault != 0) {
      errno = fault;
      return -1;
    }
  }
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// "records.jsonl: cannot write: No space left on device". Reads errno.
Error system_error(const std::filesystem::path& path, const char* what) {
  const char* reason = strerrordesc_np(errno);
  return Error{path.string() + ": cannot " + what + ": " + (reason != nullptr ? reason : "unknown error")};
}

Result<void> write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = guarded(FileCall::write, [&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return system_error(path, "write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<Descriptor> open_file(const std::filesystem::path& path, int flags, const char* what) {
  Descriptor file(guarded(FileCall::open, [&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); }));
  if (!file) return system_error(path, what);
  return file;
}

Result<void> write_temporary(const std::filesystem::path& temporary, std::string_view bytes) {
  auto file = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, "create");
  if (!file) return file.error();
  if (auto written = write_all(file->get(), bytes, temporary); !written) return written;
  if (guarded(FileCall::sync, [&] { return ::fsync(file->get()); }) < 0) {
    return system_error(temporary, "sync");
  }
  return {};
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() noexcept {
  return std::exchange(fd_, -1);
}

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO without a writer must not wait.
  auto file = open_file(path, O_RDONLY | O_NONBLOCK, "open");
  if (!file) return file.error();
  struct stat facts {};
  if (::fstat(file->get(), &facts) < 0) return system_error(path, "read");
  if (S_ISDIR(facts.st_mode)) return Error{path.string() + ": is a directory, not a file"};
  if (!S_ISREG(facts.st_mode)) return Error{path.string() + ": is not a regular file"};
  std::string text;
  while (text.size() <= max_bytes) {
    const size_t filled = text.size();
    text.resize(filled + std::min<size_t>(64 * 1024, max_bytes + 1 - filled));
    const ssize_t got = guarded(
        FileCall::read, [&] { return ::read(file->get(), text.data() + filled, text.size() - filled); });
    if (got < 0) return system_error(path, "read");
    text.resize(filled + static_cast<size_t>(got));
    if (got == 0) return text;
  }
  return Error{path.string() + ": larger than " + std::to_string(max_bytes) + " bytes"};
}

Result<void> publish_file(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  auto written = write_temporary(temporary, bytes);
  if (written && guarded(FileCall::rename, [&] { return ::rename(temporary.c_str(), path.c_str()); }) < 0) {
    written = system_error(path, "rename into place");
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_directory(path.parent_path());
}

Result<AppendFile> AppendFile::create(const std::filesystem::path& path) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "create");
  if (!file) return file.error();
  return AppendFile(std::move(*file), path);
}

Result<void> AppendFile::append(std::string_view bytes) {
  return write_all(file_.get(), bytes, path_);
}

Result<void> AppendFile::sync() {
  if (guarded(FileCall::sync, [&] { return ::fdatasync(file_.get()); }) < 0) {
    return system_error(path_, "sync");
  }
  return {};
}

Result<std::filesystem::path> make_fresh_directory(const std::filesystem::path& parent,
                                                   std::string_view name) {
  const std::filesystem::path path = parent / name;
  std::error_code fault;
  std::filesystem::create_directories(parent.empty() ? "." : parent, fault);
  if (fault) return Error{parent.string() + ": cannot create: " + fault.message()};
  auto folder = open_file(parent.empty() ? "." : parent, O_RDONLY | O_DIRECTORY, "open");
  if (!folder) return folder.error();
  const std::string entry(name);
  if (guarded(FileCall::mkdir, [&] { return ::mkdirat(folder->get(), entry.c_str(), 0700); }) < 0) {
    return system_error(path, "create");
  }
  return path;
}

Result<void> sync_directory(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.empty() ? "." : path;
  auto file = open_file(folder, O_RDONLY | O_DIRECTORY, "open");
  if (!file) return file.error();
  if (guarded(FileCall::sync, [&] { return ::fsync(file->get()); }) < 0) return system_error(folder, "sync");
  return {};
}

void set_file_fault(std::function<int(FileCall)> fault) {
  fault_hook() = std::move(fault);
  has_fault.store(static_cast<bool>(fault_hook()), std::memory_order_relaxed);
}

}  // namespace tokometer
