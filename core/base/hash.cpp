#include "base/hash.hpp"

#include <openssl/evp.h>

#include <array>
#include <boost/crc.hpp>
#include <cstring>
#include <fstream>
#include <memory>

namespace tokometer {
namespace {

using Engine = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

#ifdef __x86_64__
// The CPU's own CRC-32C takes eight bytes at a time; Boost's table, which is right everywhere, one.
const bool kHasInstruction = __builtin_cpu_supports("sse4.2") != 0;

__attribute__((target("sse4.2"))) uint32_t crc_by_instruction(uint32_t crc, std::string_view bytes) noexcept {
  uint64_t wide = crc;
  for (uint64_t word = 0; bytes.size() >= sizeof word; bytes.remove_prefix(sizeof word)) {
    std::memcpy(&word, bytes.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (const char byte : bytes) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(byte));
  return crc;
}
#endif

// SHA-256 fed in pieces. OpenSSL fails here only when it was built without the digest.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (const unsigned byte : digest) {
      text.push_back(kHex[byte >> 4u]);
      text.push_back(kHex[byte & 15u]);
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

void Crc32c::update(std::string_view bytes) noexcept {
#ifdef __x86_64__
  if (kHasInstruction) return void(remainder_ = crc_by_instruction(remainder_, bytes));
#endif
  Engine engine(remainder_);
  engine.process_bytes(bytes.data(), bytes.size());
  remainder_ = static_cast<uint32_t>(engine.get_interim_remainder());
}

uint32_t Crc32c::value() const noexcept {
#ifdef __x86_64__
  if (kHasInstruction) return ~remainder_;
#endif
  return static_cast<uint32_t>(Engine(remainder_).checksum());
}

uint32_t crc32c(std::string_view bytes) noexcept {
  Crc32c crc;
  crc.update(bytes);
  return crc.value();
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

Result<std::string> sha256_file(const std::filesystem::path& path) {
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault)) {
    return Error{path.string() + ": " +
                 (fault ? "cannot open: " + fault.message() : "is not a regular file")};
  }
  std::ifstream file(path, std::ios::binary);
  Sha256 digest;
  std::string piece(64 * 1024, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    digest.update(std::string_view(piece).substr(0, static_cast<size_t>(file.gcount())));
  }
  if (!file.eof()) return Error{path.string() + ": cannot read"};
  return digest.hex();
}

}  // namespace tokometer
