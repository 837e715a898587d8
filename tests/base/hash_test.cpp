#include "base/hash.hpp"

#include <doctest/doctest.h>

#include <fstream>

namespace tokometer {

// Values of RFC 3720, B.4, and of the check string.
TEST_CASE("CRC-32C") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  CHECK(crc32c("a") == 0xc1d04330u);
}

TEST_CASE("CRC-32C does not depend on the cuts") {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  for (size_t first = 0; first <= text.size(); ++first) {
    Crc32c crc;
    crc.update(std::string_view(text).substr(0, first));
    crc.update({});
    crc.update(std::string_view(text).substr(first));
    CHECK(crc.value() == crc32c(text));
  }
}

// FIPS 180-2 examples.
TEST_CASE("SHA-256") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string million(1'000'000, 'a');
  CHECK(sha256_hex(million) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

  const auto path = std::filesystem::temp_directory_path() / "tokometer-sha.bin";
  std::ofstream(path, std::ios::binary) << million;
  const auto digest = sha256_file(path);
  REQUIRE(digest.ok());
  CHECK(*digest == sha256_hex(million));
  std::filesystem::remove(path);
  const auto missing = sha256_file(path);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message == path.string() + ": cannot open: No such file or directory");
  CHECK_FALSE(sha256_file("/").ok());
}

}  // namespace tokometer
