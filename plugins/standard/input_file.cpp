#include "input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
  block_offset_ = packed_offset_ = 0;
  undecoded_ = {};
  decoder_.reset();
  end_ = read_into(block_);
  decoder_ = make_decoder({block_.data(), end_});
  if (decoder_ != nullptr) {
    packed_.swap(block_);
    undecoded_ = {packed_.data(), end_};
    packed_offset_ = end_;
    block_.resize(kBlockBytes);
    end_ = decode_into_block();
  }
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
  throw tkm::config_error(path_ + ": empty (only blanks, " + with_commas(offset()) + " bytes)");
}

std::string_view InputFile::ahead() {
  if (begin_ == end_) fill();
  return {block_.data() + begin_, end_ - begin_};
}

void InputFile::fill() {
  block_offset_ += end_;
  begin_ = end_ = 0;
  end_ = decoder_ != nullptr ? decode_into_block() : read_into(block_);
}

size_t InputFile::decode_into_block() {
  for (;;) {
    const Decoder::Step step = decoder_->decode(undecoded_, block_.data(), block_.size());
    undecoded_.remove_prefix(step.taken);
    if (step.damaged) {
      throw unreadable(path_ + ": damaged " + decoder_->name() + " data (before byte " +
                       with_commas(packed_offset_ - undecoded_.size() + 1) + " of the file)");
    }
    if (step.made > 0) return step.made;
    if (!undecoded_.empty()) continue;
    const size_t got = read_into(packed_);
    undecoded_ = {packed_.data(), got};
    packed_offset_ += got;
    if (got > 0) continue;
    if (decoder_->complete()) return 0;
    throw unreadable(path_ + ": ends inside its " + decoder_->name() + " data (byte " +
                     with_commas(packed_offset_) + " of the file)");
  }
}

size_t InputFile::read_into(std::vector<char>& to) {
  ssize_t got = 0;
  do {
    got = ::read(descriptor_.number, to.data(), to.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) throw unreadable(reason("cannot be read"));
  check_unchanged();
  return static_cast<size_t>(got);
}

void InputFile::check_unchanged() const {
  struct stat now {};
  const bool same = ::fstat(descriptor_.number, &now) == 0 && static_cast<uint64_t>(now.st_size) == size_ &&
                    now.st_mtim.tv_sec == modified_.tv_sec && now.st_mtim.tv_nsec == modified_.tv_nsec;
  if (!same) throw unreadable(path_ + ": changed while it was being read");
}

tkm::Error InputFile::unreadable(std::string text) const {
  return {first_visible_ == 0 ? TKM_E_CONFIG : TKM_E_INTERNAL, std::move(text)};
}

}  // namespace standard
