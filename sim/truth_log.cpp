#include "sim/truth_log.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace tokometer::sim {
namespace {
constexpr size_t kWindowRows = 131'072;  // 4 MiB
constexpr size_t kWindowBytes = kWindowRows * sizeof(TruthRow);
}  // namespace

Result<std::unique_ptr<TruthLog>> TruthLog::create(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) return Error{"truth: cannot make " + folder.string() + ": " + failure.message()};
  const std::filesystem::path rows = folder / "truth.bin";
  Descriptor file(::open(rows.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return Error{"truth: cannot create " + rows.string() + ": " + std::strerror(errno)};
  auto requests = AppendFile::create(folder / "truth.jsonl");
  if (!requests) return requests.errors();
  return std::unique_ptr<TruthLog>(new TruthLog(std::move(file), std::move(*requests)));
}

TruthLog::~TruthLog() {
  unmap();
  // A failure leaves rows of zeros at the end, which readers know.
  [[maybe_unused]] const int ignored = ::ftruncate(file_.get(), static_cast<off_t>(rows_ * sizeof(TruthRow)));
}

bool TruthLog::next_window() noexcept {
  unmap();
  const auto offset = static_cast<off_t>(rows_ * sizeof(TruthRow));
  // Real blocks, so that a full disk is an error here and not a SIGBUS at some store.
  if (::posix_fallocate(file_.get(), offset, kWindowBytes) != 0) return false;
  void* window =
      ::mmap(nullptr, kWindowBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file_.get(), offset);
  if (window == MAP_FAILED) return false;
  window_ = next_ = static_cast<TruthRow*>(window);
  end_ = window_ + kWindowRows;
  return true;
}

void TruthLog::unmap() noexcept {
  if (window_ != nullptr) ::munmap(window_, kWindowBytes);
  window_ = next_ = end_ = nullptr;
}

bool TruthLog::add_request(std::string_view line) {
  return requests_.append(std::string(line) + "\n").ok();
}

}  // namespace tokometer::sim
