#include "plugin/plugin_file.hpp"

#include <sys/stat.h>

#include "fixtures.hpp"

namespace tokometer {
namespace {

using fixtures::ScratchFolder, fixtures::write_bytes;
namespace fs = std::filesystem;

TEST_CASE("whose files are trusted") {
  constexpr uid_t kRoot = 0, kMe = 1000, kOther = 1001;
  constexpr gid_t kMyGroup = 1000, kSharedGroup = 50;
  const Reader me{kMe, kMyGroup};
  struct Case {
    std::string what;
    mode_t mode;
    uid_t owner;
    gid_t group;
    const char* reason;  // null: trusted
  };
  const Case cases[] = {
      {"root's file", S_IFREG | 0644, kRoot, kSharedGroup, nullptr},
      {"my file", S_IFREG | 0644, kMe, kMyGroup, nullptr},
      {"my file, writable by my private group", S_IFREG | 0664, kMe, kMyGroup, nullptr},
      {"my file, writable by a shared group", S_IFREG | 0664, kMe, kSharedGroup,
       "/p/x is writable by others"},
      {"root's file, writable by a shared group", S_IFREG | 0664, kRoot, kSharedGroup,
       "/p/x is writable by others"},
      {"writable by all", S_IFREG | 0646, kMe, kMyGroup, "/p/x is writable by others"},
      {"another user's file", S_IFREG | 0444, kOther, kMyGroup,
       "/p/x belongs to user 1001, who is neither you nor root"},
      {"a folder writable by all", S_IFDIR | 0777, kRoot, kRoot, "/p/x is writable by others"},
      {"a sticky folder", S_IFDIR | 01777, kRoot, kRoot, nullptr},
      {"a sticky folder of another user", S_IFDIR | 01777, kOther, kRoot,
       "/p/x belongs to user 1001, who is neither you nor root"},
      {"a sticky file is no sticky folder", S_IFREG | 01666, kRoot, kRoot, "/p/x is writable by others"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    struct stat facts {};
    facts.st_mode = each.mode;
    facts.st_uid = each.owner;
    facts.st_gid = each.group;
    const auto reason = reason_for_distrust("/p/x", facts, me);
    CHECK(reason == (each.reason == nullptr ? std::nullopt : std::optional<std::string>(each.reason)));
  }
}

TEST_CASE("a group is mine only if it is nobody else's") {
  struct stat facts {};
  facts.st_mode = S_IFREG | 0664;
  facts.st_uid = 1000;
  facts.st_gid = 100;
  CHECK(reason_for_distrust("/p/x", facts, Reader{1000, std::nullopt}).has_value());
}

TEST_CASE("only regular files are opened") {
  const ScratchFolder folder;
  const fs::path path = folder.path() / "x.so";
  std::string sentence = "not a regular file";
  SUBCASE("a folder") {
    fs::create_directory(path);
  }
  SUBCASE("a FIFO") {
    REQUIRE(mkfifo(path.c_str(), 0644) == 0);
  }
  SUBCASE("a device") {
    fs::create_symlink("/dev/null", path);
  }
  SUBCASE("nothing") {
    sentence = "no such file";
  }
  SUBCASE("a link to nothing") {
    fs::create_symlink("gone.so", path);
    sentence = "no such file";
  }
  SUBCASE("a link to itself") {
    fs::create_symlink("x.so", path);
    sentence = "not a regular file";
  }
  const auto file = PluginFile::open(path);
  REQUIRE(!file.ok());
  CHECK(to_string(file.error()) == path.string() + ": " + sentence);
}

TEST_CASE("reading stays within the file, and a replaced file is noticed") {
  const ScratchFolder folder;
  const fs::path path = folder.path() / "x.so";
  write_bytes(path, "0123456789");
  fs::create_symlink("x.so", folder.path() / "link.so");
  const auto file = PluginFile::open(folder.path() / "link.so");
  REQUIRE(file.ok());
  CHECK(file->real_path() == path);
  CHECK(file->size() == 10);
  const ReadAt read_at = file->reader();
  CHECK(read_at(2, 3) == "234");
  CHECK(read_at(10, 0) == "");
  CHECK(!read_at(8, 3).has_value());
  CHECK(!read_at(UINT64_MAX, 1).has_value());
  CHECK(!read_at(1, SIZE_MAX).has_value());

  CHECK(file->is_still_there());
  fs::rename(path, folder.path() / "old.so");
  CHECK(!file->is_still_there());
  write_bytes(path, "0123456789");
  CHECK(!file->is_still_there());
}

TEST_CASE("every folder above the file counts") {
  const ScratchFolder folder;
  fs::create_directories(folder.path() / "a/b");
  const fs::path path = folder.path() / "a/b/x.so";
  write_bytes(path, "");
  const auto complaint = [&] {
    const auto trusted = check_trust(*PluginFile::open(path));
    return trusted ? std::string() : to_string(trusted.error());
  };
  const std::string reason = " is writable by others; refused (--trust-plugin-dir)";
  CHECK(complaint().empty());
  SUBCASE("the file") {
    fs::permissions(path, fs::perms(0666));
    CHECK(complaint() == path.string() + ": " + path.string() + reason);
  }
  SUBCASE("a folder further up") {
    fs::permissions(folder.path() / "a", fs::perms(0777));
    CHECK(complaint() == path.string() + ": " + (folder.path() / "a").string() + reason);
  }
  SUBCASE("a sticky folder") {
    fs::permissions(folder.path() / "a", fs::perms(01777));
    CHECK(complaint().empty());
  }
}

}  // namespace
}  // namespace tokometer
