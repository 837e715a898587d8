#include "plugin/library.hpp"

#include <elf.h>

#include <cstring>

#include "fixtures.hpp"

namespace tokometer {
namespace {

using fixtures::all_messages, fixtures::bad, fixtures::good, fixtures::read_bytes, fixtures::ScratchFolder,
    fixtures::write_bytes;
namespace fs = std::filesystem;

std::string complaint(const fs::path& path, Trust trust = Trust::check) {
  return all_messages(load_library(path, trust));
}

TEST_CASE("plugins in C and in C++ load with what the manifest wants to know") {
  const auto c = load_library(good("plain-c"), Trust::check);
  REQUIRE_MESSAGE(c.ok(), all_messages(c));
  REQUIRE((*c)->size() == 2);  // a third component is of a kind that this host does not know
  const Component& ticks = (**c)[0];
  CHECK(ticks.name() == "ticks");
  CHECK(ticks.kind() == TKM_KIND_PATTERN);
  CHECK(ticks.module_name() == "plain-c");
  CHECK(ticks.version() == "1.2.3");
  CHECK(ticks.path == good("plain-c"));
  CHECK(ticks.sha256.size() == 64);
  CHECK(ticks.has_capability("open-loop"));
  CHECK(!ticks.has_capability("open"));
  CHECK((**c)[1].config_schema() ==
        R"({"type": "object", "properties": {}})");  // the plugin gave an empty text

  const auto cpp = load_library(good("plain-cpp"), Trust::check);
  REQUIRE_MESSAGE(cpp.ok(), all_messages(cpp));
  CHECK((*cpp)->size() == 2);
  CHECK((**cpp)[0].sha256 != ticks.sha256);
}

TEST_CASE("one inode is one module") {
  const ScratchFolder folder;
  fs::create_symlink(good("plain-c"), folder.path() / "plain-c.so");
  const auto first = load_library(good("plain-c"), Trust::check);
  const auto second = load_library(folder.path() / "plain-c.so", Trust::check);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(*first == *second);
}

TEST_CASE("two files with one module name are both named") {
  REQUIRE(load_library(good("plain-c"), Trust::check).ok());
  const ScratchFolder folder;
  const fs::path copy = folder.path() / "plain-c.so";
  write_bytes(copy, read_bytes(good("plain-c")));
  CHECK(complaint(copy) == "module \"plain-c\" comes from two files, " + good("plain-c").string() + " and " +
                               copy.string() + "; name only one of them\n");
}

TEST_CASE("files that are refused before any of their code runs") {
  const ScratchFolder folder;
  const fs::path path = folder.path() / "x.so";
  std::string bytes = read_bytes(good("plain-c"));
  std::string sentence = "not a shared object for this machine";
  SUBCASE("text") {
    bytes = "not a plugin\n";
  }
  SUBCASE("empty") {
    bytes.clear();
  }
  SUBCASE("cut") {
    bytes.resize(bytes.size() / 2);
  }
  SUBCASE("wrong machine") {
    const uint16_t machine = EM_S390;
    std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
  }
  SUBCASE("another name") {
    sentence = "is module \"plain-c\"; its file must be named plain-c.so";
  }
  write_bytes(path, bytes);
  CHECK(complaint(path) == path.string() + ": " + sentence + "\n");
}

TEST_CASE("a file that others can write is refused unless the user trusts the folder") {
  const ScratchFolder folder;
  const fs::path path = folder.path() / "no-note.so";
  write_bytes(path, read_bytes(bad("no-note")));
  fs::permissions(folder.path(), fs::perms(0777));
  CHECK(complaint(path) == path.string() + ": " + folder.path().string() +
                               " is writable by others; refused (--trust-plugin-dir)\n");
  CHECK(complaint(path, Trust::skip) == path.string() + ": has no .note.tokometer: not a tokometer plugin\n");
}

TEST_CASE("each broken module has its sentence") {
  struct Case {
    std::string module;
    std::string sentence;  // after the file name
  };
  const std::string item = "plugin bug: dataset \"items\": ";
  const Case cases[] = {
      {"no-note", "has no .note.tokometer: not a tokometer plugin"},
      {"other-abi", "built for plugin ABI 2; this program speaks ABI 1"},
      {"other-draft", "built for plugin ABI 1 draft 999; this program speaks plugin ABI 1 draft " +
                          std::to_string(TKM_ABI_DRAFT) + "; build the plugin again with its tokometer-dev"},
      {"newer-host", "needs plugin ABI 1.9; this program speaks 1.0; install a newer tokometer"},
      {"name-in-note", "is module \"other-name\"; its file must be named other-name.so"},
      {"bad-name-in-note", "its .note.tokometer is damaged; build the plugin again"},
      {"no-entry", "undefined symbol: tkm_module_v1"},
      {"undefined-symbol", "undefined symbol: foo"},
      {"throwing-entry", "plugin bug: tkm_module_v1 threw an exception"},
      {"null-module", "plugin bug: tkm_module_v1 returned NULL"},
      {"huge-module", "plugin bug: module.struct_size is 4294967295, at least 80 expected"},
      {"name-in-descriptor",
       "plugin bug: the note says module \"name-in-descriptor\", the descriptor \"other-name\""},
      {"version-in-descriptor", "plugin bug: the note says version 1.0.0, the descriptor \"2.0.0\""},
      {"null-list", "plugin bug: components is no valid list"},
      {"null-component", "plugin bug: component 1: is NULL"},
      {"short-component", "plugin bug: component 0: component.struct_size is 8, at least 80 expected"},
      {"twice", item + "is there twice"},
      {"bad-id", "plugin bug: component 0: id \"Bad Id\" is no name like [a-z][a-z0-9_-]*"},
      {"not-utf8", item + "summary is not UTF-8"},
      {"null-text", item + "config_schema is no valid text"},
      {"bad-capability", item + "capability \"End Less\" is no valid name"},
      {"null-capabilities", item + "capabilities is no valid list"},
      {"no-loop",
       "plugin bug: load pattern \"items\": a load pattern needs one of the capabilities open-loop, "
       "closed-loop"},
      {"null-ops", item + "ops is NULL"},
      {"short-ops", item + "ops.struct_size is 16, at least 40 expected"},
      {"null-call", item + "call next is missing"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.module);
    CHECK(complaint(bad(each.module)) == bad(each.module).string() + ": " + each.sentence + "\n");
    // Asking again gives the same answer, though the file is loaded by now.
    CHECK(complaint(bad(each.module)) == bad(each.module).string() + ": " + each.sentence + "\n");
  }
}

TEST_CASE("a schema outside the subset is the plugin's bug, with the keyword") {
  const std::string text = complaint(bad("bad-schema"));
  CHECK(text.find(bad("bad-schema").string() + ": plugin bug: dataset \"items\": config_schema: ") == 0);
  CHECK(text.find("oneOf") != std::string::npos);
}

TEST_CASE("a note is read without loading") {
  const auto note = inspect_library(bad("crash-at-load"), Trust::check);
  REQUIRE(note.ok());
  CHECK(note->module == "crash-at-load");
}

}  // namespace
}  // namespace tokometer
