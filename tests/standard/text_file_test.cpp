// Files as such, mostly through the `text` dataset: what cannot be opened, sizes, memory, changes while
// reading.
#include <malloc.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;

TEST_CASE("text: a prompt per line") {
  const Folder folder;
  Dataset dataset("text", reading(folder.write("p.txt", "\xEF\xBB\xBF one\r\n\n  \t\ntwo \"2\"\nthree")));
  CHECK(dataset.size() == -2);
  const auto samples = dataset.all();
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].text == " one");
  CHECK(samples[1].text == "two \"2\"");
  CHECK(samples[2].text == "three");
}

TEST_CASE("text: bad UTF-8 is named, and reading goes on behind it") {
  const Folder folder;
  const std::string path = folder.write("p.txt", "one\nt\xC3\xA4o\xC0\xAF\nthree\n");
  Dataset dataset("text", reading(path));
  const auto samples = dataset.all();
  REQUIRE(samples.size() == 3);
  CHECK(samples[1].status == TKM_E_INPUT);
  CHECK(samples[1].error == path + ":2: not valid UTF-8 (column 5)");
  CHECK(samples[2].text == "three");
}

TEST_CASE("files that hold nothing to read are refused before the run, with their path") {
  const Folder folder;
  std::filesystem::create_directory(folder.path("dir"));
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  folder.write("empty", "");
  folder.write("blank", " \n\t\r\n");
  folder.write("mark", "\xEF\xBB\xBF\n");
  struct Case {
    const char *file, *sentence;
  };
  const Case cases[] = {{"missing", "no such file"},
                        {"dir", "is a directory, not a file"},
                        {"fifo", "is a FIFO, not a file"},
                        {"empty", "empty (0 bytes)"},
                        {"blank", "empty (only blanks, 5 bytes)"},
                        {"mark", "empty (only blanks, 4 bytes)"},
                        {"blank/x", "cannot be opened: Not a directory"}};
  for (const char* id : {"text", "jsonl", "sharegpt"}) {
    for (const Case& it : cases) {
      CAPTURE(id);
      CAPTURE(it.file);
      Dataset dataset(id, reading(folder.path(it.file)));
      CHECK(dataset.status() == TKM_E_CONFIG);
      CHECK(dataset.error() == folder.path(it.file) + ": " + it.sentence);
    }
  }
  Dataset device("text", reading("/dev/null"));
  CHECK(device.error() == "/dev/null: is a device, not a file");
}

TEST_CASE("a record of more than 64 MiB is named and skipped, in either form of file") {
  const Folder folder;
  const std::string large(64 * 1024 * 1024 + 1, 'a');
  SUBCASE("lines") {
    const std::string path = folder.write("p.txt", "one\n" + large + "\nthree\n");
    Dataset dataset("text", reading(path));
    CHECK(dataset.next().text == "one");
    CHECK(dataset.next().error == path + ":2: larger than 64 MiB");
    CHECK(dataset.next().text == "three");
    CHECK(dataset.next().status == TKM_END);
  }
  SUBCASE("array") {
    const std::string path = folder.write("s.json", "[\"" + large + R"(",[{"from":"human","value":"q"}]])");
    Dataset dataset("sharegpt", reading(path));
    CHECK(dataset.next().error == path + ": record 1: larger than 64 MiB");
    CHECK(dataset.next().text == "q");
    CHECK(dataset.next().status == TKM_END);
  }
  SUBCASE("exactly 64 MiB is not more") {
    Dataset dataset("text", reading(folder.write("p.txt", std::string_view(large).substr(1))));
    CHECK(dataset.next().text.size() == large.size() - 1);
  }
}

// A large file in the ShareGPT form, 200 bytes a record or so.
std::string write_many(const Folder& folder, int records) {
  std::ofstream out(folder.path("many.json"));
  out << "[";
  for (int index = 0; index < records; ++index) {
    out << (index > 0 ? ",\n" : "") << R"({"id":)" << index
        << R"(,"conversations":[{"from":"human","value":"question )" << index << std::string(100, 'x')
        << R"("},{"from":"gpt","value":"answer"}]})";
  }
  out << "]";
  return folder.path("many.json");
}

size_t heap_bytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST_CASE("memory does not grow with the file") {
  const Folder folder;
  const std::string path = write_many(folder, 60'000);
  REQUIRE(std::filesystem::file_size(path) > 10'000'000);
  const size_t before = heap_bytes();
  Dataset dataset("sharegpt", reading(path));
  size_t most = 0, count = 0;
  for (host::Sample sample = dataset.next(); sample.status == TKM_OK; sample = dataset.next()) {
    ++count;
    most = std::max(most, heap_bytes());
  }
  CHECK(count == 60'000);
  CHECK(most - std::min(most, before) < 1'000'000);
}

TEST_CASE("records that lie across the blocks of the reader are whole") {
  const Folder folder;
  std::string lines;
  for (size_t size = 1; size < 700; ++size) lines += std::string(size, 'a') + "\xC3\xBC\n";
  Dataset dataset("text", reading(folder.write("p.txt", lines)));
  const auto samples = dataset.all();
  REQUIRE(samples.size() == 699);
  for (size_t size = 1; size < 700; ++size)
    CHECK(samples[size - 1].text == std::string(size, 'a') + "\xC3\xBC");
}

TEST_CASE("a file that is changed or cut while it is read ends the reading, for good") {
  const Folder folder;
  const std::string path = write_many(folder, 2000);
  Dataset dataset("sharegpt", reading(path));
  CHECK(dataset.next().status == TKM_OK);
  SUBCASE("longer") {
    std::ofstream(path, std::ios::app) << " ";
  }
  SUBCASE("cut") {
    std::filesystem::resize_file(path, 100'000);
  }
  host::Sample sample = dataset.next();
  while (sample.status == TKM_OK) sample = dataset.next();
  CHECK(sample.status == TKM_E_INTERNAL);
  CHECK(sample.error == path + ": changed while it was being read");
  CHECK(dataset.next().status == TKM_E_INTERNAL);
}

TEST_CASE("a file that is replaced while it is read goes on as it was") {
  const Folder folder;
  const std::string path = write_many(folder, 2000);
  Dataset dataset("sharegpt", reading(path));
  CHECK(dataset.next().status == TKM_OK);
  std::filesystem::rename(folder.write("other", "[]"), path);
  size_t count = 1;
  while (dataset.next().status == TKM_OK) ++count;
  CHECK(count == 2000);
  CHECK(dataset.next().status == TKM_END);
}

}  // namespace
