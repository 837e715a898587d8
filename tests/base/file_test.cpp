#include "base/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tokometer {
namespace fs = std::filesystem;
namespace {

// A folder of its own for each test, gone at its end.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tokometer-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Makes call number n of a kind fail, and all after it if `for_good`.
class FaultAt {
 public:
  FaultAt(FileCall kind, int n, int error, bool for_good = false) {
    set_file_fault([=, this](FileCall call) {
      if (call != kind) return 0;
      ++calls_;
      return calls_ == n || (for_good && calls_ > n) ? error : 0;
    });
  }
  ~FaultAt() { set_file_fault({}); }
  int calls() const { return calls_; }

 private:
  int calls_ = 0;
};

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

mode_t mode_of(const fs::path& path) {
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 07777u;
}

size_t entries(const fs::path& path) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
}

std::string message(const Result<void>& result) {
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("reading a file, with a limit") {
  const Folder folder;
  const fs::path path = folder / "f";
  const std::string text(200'000, 'x');
  std::ofstream(path) << text;
  CHECK(*read_file(path, text.size()) == text);
  CHECK(read_file(path, text.size() - 1).error().message == path.string() + ": larger than 199999 bytes");
  CHECK(read_file(folder / "none", 1).error().message ==
        (folder / "none").string() + ": cannot open: No such file or directory");
  CHECK(read_file(folder.path(), 1).error().message ==
        folder.path().string() + ": is a directory, not a file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(read_file(folder / "pipe", 1).error().message ==
        (folder / "pipe").string() + ": is not a regular file");
  std::ofstream(folder / "empty") << "";
  CHECK(read_file(folder / "empty", 0)->empty());
}

TEST_CASE("a published file is whole, private and replaces the old one") {
  const Folder folder;
  const fs::path path = folder / "summary.json";
  REQUIRE(publish_file(path, "one").ok());
  CHECK(content(path) == "one");
  CHECK(mode_of(path) == 0600);
  REQUIRE(publish_file(path, "two").ok());
  CHECK(content(path) == "two");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("publishing: whatever call fails, the old file or the new one is there, never a part") {
  for (const FileCall kind : {FileCall::open, FileCall::write, FileCall::sync, FileCall::rename}) {
    for (int n = 1;; ++n) {
      const Folder folder;
      const fs::path path = folder / "f";
      REQUIRE(publish_file(path, "old").ok());
      const FaultAt fault(kind, n, ENOSPC);
      const auto published = publish_file(path, "new");
      CAPTURE(static_cast<int>(kind));
      CAPTURE(n);
      if (fault.calls() < n) {
        CHECK(published.ok());
        break;
      }
      CHECK_FALSE(published.ok());
      CHECK(message(published).find("No space left on device") != std::string::npos);
      // Only the last step, the directory's own sync, fails after the rename.
      const bool renamed = content(path) == "new";
      CHECK((renamed || content(path) == "old"));
      CHECK(entries(folder.path()) == 1);
    }
  }
}

TEST_CASE("appending") {
  const Folder folder;
  const fs::path path = folder / "records.jsonl";
  auto file = AppendFile::create(path);
  REQUIRE(file.ok());
  CHECK(mode_of(path) == 0600);
  REQUIRE(file->append("one\n").ok());
  REQUIRE(file->append(std::string(1 << 20, 'x')).ok());
  REQUIRE(file->sync().ok());
  CHECK(content(path) == "one\n" + std::string(1 << 20, 'x'));
  const auto again = AppendFile::create(path);
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message == path.string() + ": cannot create: File exists");
}

TEST_CASE("appending: failures are told, later ones too, and what was written stays") {
  const Folder folder;
  auto file = AppendFile::create(folder / "f");
  REQUIRE(file.ok());
  REQUIRE(file->append("kept\n").ok());
  {
    const FaultAt fault(FileCall::write, 1, ENOSPC);
    CHECK(message(file->append("lost\n")) ==
          (folder / "f").string() + ": cannot write: No space left on device");
    CHECK(file->append("after\n").ok());
  }
  {
    const FaultAt fault(FileCall::sync, 1, EIO, true);
    CHECK(message(file->sync()) == (folder / "f").string() + ": cannot sync: Input/output error");
    CHECK_FALSE(file->sync().ok());
  }
  CHECK(content(folder / "f") == "kept\nafter\n");
}

TEST_CASE("a fresh directory is new, private, and its parents are made") {
  const Folder folder;
  const auto made = make_fresh_directory(folder / "a/b", "run-1");
  REQUIRE(made.ok());
  CHECK(*made == folder / "a/b/run-1");
  CHECK(mode_of(*made) == 0700);
  CHECK(make_fresh_directory(folder / "a/b", "run-1").error().message ==
        made->string() + ": cannot create: File exists");
  std::ofstream(folder / "file") << "x";
  CHECK_FALSE(make_fresh_directory(folder.path(), "file").ok());
  CHECK_FALSE(make_fresh_directory(folder / "file", "run").ok());
  fs::create_symlink("nowhere", folder / "link");
  CHECK_FALSE(make_fresh_directory(folder.path(), "link").ok());
  for (int n = 1; n <= 2; ++n) {
    const FaultAt fault(n == 1 ? FileCall::open : FileCall::mkdir, 1, EACCES);
    CHECK_FALSE(make_fresh_directory(folder.path(), "x").ok());
  }
  CHECK_FALSE(fs::exists(folder / "x"));
}

TEST_CASE("a relative path without a folder works in the working directory") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  CHECK(publish_file("plain", "x").ok());
  CHECK(make_fresh_directory("", "made").ok());
  CHECK(fs::is_directory("made"));
  fs::current_path(before);
}

TEST_CASE("a descriptor is closed once, by its last owner") {
  int raw = -1;
  {
    Descriptor first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    raw = first.get();
    REQUIRE(first);
    Descriptor second(std::move(first));
    CHECK_FALSE(first);  // NOLINT: what a moved-from one says is the point
    CHECK(second.get() == raw);
    second = Descriptor();
    CHECK(::fcntl(raw, F_GETFD) == -1);
  }
  Descriptor kept(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  raw = kept.release();
  kept.reset();
  CHECK(::fcntl(raw, F_GETFD) != -1);
  ::close(raw);
}

}  // namespace tokometer
