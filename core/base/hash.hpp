// Checksums and digests: CRC-32C guards each record line and each response text, SHA-256 names files and
// plans.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer {

// CRC-32C (Castagnoli, as in iSCSI) fed in pieces. Used for every token: no allocation, and the CPU's own
// instruction where it has one.
class Crc32c {
 public:
  void update(std::string_view bytes) noexcept;
  uint32_t value() const noexcept;

 private:
  uint32_t remainder_ = 0xffffffffu;
};

// CRC-32C of the whole text: crc32c("123456789") == 0xe3069283.
uint32_t crc32c(std::string_view bytes) noexcept;

// Lower-case hex, 64 characters.
std::string sha256_hex(std::string_view bytes);

// Digest of a regular file, read in pieces. Fails with the path and the system's reason.
Result<std::string> sha256_file(const std::filesystem::path& path);

}  // namespace tokometer
