#include "input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tokometer/plugin.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace standard {
namespace {

constexpr size_t kBlockBytes = 64 * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlank = " \t\r\n";

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

std::string with_commas(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

InputFile::Descriptor::~Descriptor() {
  if (number >= 0) ::close(number);
}

InputFile::InputFile(std::string path) : path_(std::move(path)), block_(kBlockBytes) {
  open();
  find_first_visible();
  rewind();
}

std::string InputFile::reason(std::string_view what) const {
  return path_ + ": " + std::string(what) + ": " + std::generic_category().message(errno);
}

void InputFile::open() {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  descriptor_.number = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_.number < 0 && errno == ENOENT) throw tkm::config_error(path_ + ": no such file");
  if (descriptor_.number < 0) throw tkm::config_error(reason("cannot be opened"));
  struct stat found {};
  if (::fstat(descriptor_.number, &found) != 0) throw tkm::config_error(reason("cannot be examined"));
  if (!S_ISREG(found.st_mode))
    throw tkm::config_error(path_ + ": is " + kind_of(found.st_mode) + ", not a file");
  if (found.st_size == 0) throw tkm::config_error(path_ + ": empty (0 bytes)");
  size_ = static_cast<uint64_t>(found.st_size);
  modified_ = found.st_mtim;
}

void InputFile::rewind() {
  ::lseek(descriptor_.number, 0, SEEK_SET);
  begin_ = end_ = 0;
  block_offset_ = 0;
  if (ahead().substr(0, kByteOrderMark.size()) == kByteOrderMark) consume(kByteOrderMark.size());
}

void InputFile::find_first_visible() {
  rewind();
  for (std::string_view bytes = ahead(); !bytes.empty(); bytes = ahead()) {
    const size_t at = bytes.find_first_not_of(kBlank);
    if (at != bytes.npos) {
      first_visible_ = bytes[at];
      return;
    }
    consume(bytes.size());
  }
  throw tkm::config_error(path_ + ": empty (only blanks, " + with_commas(size_) + " bytes)");
}

std::string_view InputFile::ahead() {
  if (begin_ == end_) fill();
  return {block_.data() + begin_, end_ - begin_};
}

void InputFile::fill() {
  block_offset_ += end_;
  begin_ = end_ = 0;
  ssize_t got = 0;
  do {
    got = ::read(descriptor_.number, block_.data(), block_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw tkm::Error(TKM_E_INTERNAL, reason("cannot be read"));
  check_unchanged();
  end_ = static_cast<size_t>(got);
}

void InputFile::check_unchanged() const {
  struct stat now {};
  const bool same = ::fstat(descriptor_.number, &now) == 0 && static_cast<uint64_t>(now.st_size) == size_ &&
                    now.st_mtim.tv_sec == modified_.tv_sec && now.st_mtim.tv_nsec == modified_.tv_nsec;
  if (!same) throw tkm::Error(TKM_E_INTERNAL, path_ + ": changed while it was being read");
}

}  // namespace standard
