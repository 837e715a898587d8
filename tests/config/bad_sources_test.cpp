// What is refused before there is any text: no file, a directory, a pipe, too large.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "example_schemas.hpp"

namespace tokometer::testing {

TEST_CASE("sources that are no run file") {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "tokometer-XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const std::string missing = folder / "missing.yaml", directory = folder / "d.yaml",
                    pipe = folder / "p.yaml", large = folder / "l.yaml";
  fs::create_directory(directory);
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::ofstream(large) << std::string(kMaxYamlBytes + 1, '#');

  CHECK(messages(read(Input{{{missing, {}}}})) == missing + ": cannot open: No such file or directory\n");
  CHECK(messages(read(Input{{{directory, {}}}})) == directory + ": is a directory, not a file\n");
  CHECK(messages(read(Input{{{pipe, {}}}})) == pipe + ": is not a regular file\n");
  CHECK(messages(read(Input{{{large, {}}}})) == large + ": larger than 1048576 bytes\n");
  fs::remove_all(folder);
}

TEST_CASE("a fault in the second of two files names that file") {
  const auto result = read(Input{{{"base.yaml", completed("seed: 1\n")}, {"over.yaml", "\nsed: 2\n"}}});
  CHECK(messages(result) == "over.yaml:2:1: sed: unknown key; did you mean \"seed\"?\n");
}

}  // namespace tokometer::testing
