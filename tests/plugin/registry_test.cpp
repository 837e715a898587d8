#include "plugin/registry.hpp"

#include <sys/stat.h>

#include <cstdlib>

#include "fixtures.hpp"

namespace tokometer {
namespace {

using fixtures::all_messages, fixtures::bad, fixtures::good, fixtures::read_bytes, fixtures::ScratchFolder,
    fixtures::write_bytes;
namespace fs = std::filesystem;

const std::string kGood = TOKOMETER_BUILD_DIR "/tests/plugins/good";
const std::string kBad = TOKOMETER_BUILD_DIR "/tests/plugins/bad";
const std::string kStandard = TOKOMETER_BUILD_DIR "/tests/plugins/standard";

Registry registry_of(const std::vector<std::string>& folders) {
  SearchPath path;
  for (const std::string& folder : folders) path.directories.push_back({folder, "--plugin-dir"});
  return Registry(path);
}

std::string complaint(Registry registry, int32_t kind, std::string_view use) {
  return all_messages(registry.find(kind, use));
}

TEST_CASE("names lead to components") {
  Registry registry = registry_of({kGood, kStandard});
  struct Case {
    int32_t kind;
    std::string use, module, name;
  };
  const Case cases[] = {
      {TKM_KIND_DATASET, "items", "standard", "items"},  // without a module: first in standard
      {TKM_KIND_DATASET, "standard/items", "standard", "items"},
      {TKM_KIND_PROCESSOR, "plain-cpp", "plain-cpp", "plain-cpp"},  // then in the module of that name
      {TKM_KIND_DATASET, "plain-cpp", "plain-cpp", "plain-cpp"},    // a name is unique within its kind
      {TKM_KIND_PATTERN, "plain-c/ticks", "plain-c", "ticks"},
      {TKM_KIND_PROCESSOR, good("plain-cpp").string(), "plain-cpp", "plain-cpp"},
      {TKM_KIND_PATTERN, good("plain-c").string(), "plain-c",
       "ticks"},  // the only one of its kind in the file
  };
  for (const Case& each : cases) {
    CAPTURE(each.use);
    const auto found = registry.find(each.kind, each.use);
    REQUIRE_MESSAGE(found.ok(), all_messages(found));
    CHECK((*found)->module_name() == each.module);
    CHECK((*found)->name() == each.name);
    CHECK((*found)->kind() == each.kind);
    CHECK(*registry.find(each.kind, each.use) == *found);
  }
}

TEST_CASE("what is not found is told with the folders, the nearest name and the package") {
  const std::string folders = kGood + ", " + kStandard;
  struct Case {
    int32_t kind;
    std::string use, sentence;
  };
  const Case cases[] = {
      {TKM_KIND_PROCESSOR, "vlm",
       "plugin \"vlm\" not found in: " + folders +
           "; did you mean \"vllm\"? (package tokometer-plugin-vllm)"},
      {TKM_KIND_PROCESSOR, "vllm",
       "plugin \"vllm\" not found in: " + folders + " (package tokometer-plugin-vllm)"},
      {TKM_KIND_PROCESSOR, "acme/replay",
       "plugin \"acme\" not found in: " + folders + " (package tokometer-plugin-acme)"},
      {TKM_KIND_DATASET, "itmes", "plugin \"itmes\" not found in: " + folders + "; did you mean \"items\"?"},
      {TKM_KIND_PROCESSOR, "plain-cpq",
       "plugin \"plain-cpq\" not found in: " + folders + "; did you mean \"plain-cpp\"?"},
      {TKM_KIND_DATASET, "plain-c/word",
       "module \"plain-c\" has no dataset \"word\"; did you mean \"plain-c/words\"?; it has: ticks (load "
       "pattern), words "
       "(dataset)"},
      {TKM_KIND_DATASET, "plain-c",
       "module \"plain-c\" has no dataset \"plain-c\"; it has: ticks (load pattern), words (dataset)"},
      {TKM_KIND_PATTERN, "items", "\"items\" is a dataset, not a load pattern"},
      {TKM_KIND_PROCESSOR, "plain-c/ticks", "\"plain-c/ticks\" is a load pattern, not a processor"},
      {TKM_KIND_PROCESSOR, good("plain-c").string(),
       good("plain-c").string() + ": has no processor: ticks (load pattern), words (dataset)"},
      {TKM_KIND_PROCESSOR, "/no/where.so", "/no/where.so: no such file"},
      {TKM_KIND_PROCESSOR, "./plain-c.so",
       "plugin \"./plain-c.so\": give a file as an absolute path that ends in .so"},
      {TKM_KIND_PROCESSOR, "../etc/passwd",
       "plugin \"../etc/passwd\": give a file as an absolute path that ends in .so"},
      {TKM_KIND_PROCESSOR, "a/../b",
       "plugin \"a/../b\": must be a name, module/name, or an absolute path that ends in .so"},
      {TKM_KIND_PROCESSOR, "",
       "plugin \"\": must be a name, module/name, or an absolute path that ends in .so"},
      {TKM_KIND_PROCESSOR, "V\x1b[1m",
       "plugin \"V\\x1b[1m\": must be a name, module/name, or an absolute path that ends in .so"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.use);
    CHECK(complaint(registry_of({kGood, kStandard}), each.kind, each.use) == each.sentence + "\n");
  }
}

TEST_CASE("without standard.so its components are missing by name") {
  CHECK(complaint(registry_of({kGood}), TKM_KIND_PATTERN, "poisson") ==
        "plugin \"poisson\" not found in: " + kGood +
            " (package tokometer-plugin-poisson); standard.so, with the bundled datasets and load patterns, "
            "is missing "
            "too: install tokometer again\n");
}

TEST_CASE("what is found and cannot be loaded ends the search") {
  const ScratchFolder folder;
  const fs::path broken = folder.path() / "plain-cpp.so";
  write_bytes(broken, "text");
  CHECK(complaint(registry_of({folder.path().string(), kGood}), TKM_KIND_PROCESSOR, "plain-cpp") ==
        broken.string() + ": not a shared object for this machine\n");
  fs::remove(broken);
  fs::create_symlink("gone", broken);
  CHECK(complaint(registry_of({folder.path().string(), kGood}), TKM_KIND_PROCESSOR, "plain-cpp") ==
        broken.string() + ": no such file\n");
  fs::remove(broken);
  CHECK(complaint(registry_of({folder.path().string(), kGood}), TKM_KIND_PROCESSOR, "plain-cpp").empty());
}

TEST_CASE("trust is a property of the search path") {
  const ScratchFolder folder;
  write_bytes(folder.path() / "no-note.so", read_bytes(bad("no-note")));
  fs::permissions(folder.path(), fs::perms(0777));
  SearchPath path{{{folder.path().string(), "--plugin-dir"}}, false};
  CHECK(complaint(Registry(path), TKM_KIND_DATASET, "no-note").find("refused (--trust-plugin-dir)") !=
        std::string::npos);
  path.trust = true;
  CHECK(complaint(Registry(path), TKM_KIND_DATASET, "no-note").find("has no .note.tokometer") !=
        std::string::npos);
}

TEST_CASE("describe finds components of every kind and whole modules") {
  Registry registry = registry_of({kGood, kStandard});
  const auto names = [&](std::string_view use) {
    const auto found = registry.find_any(use);
    std::string text = all_messages(found);
    if (found.ok()) {
      for (const Component* each : *found)
        text += std::string(each->name()) + ":" + std::to_string(each->kind()) + " ";
    }
    return text;
  };
  CHECK(names("items") == "items:2 ");
  CHECK(names("standard") == "items:2 ");
  CHECK(names("plain-cpp") == "plain-cpp:1 plain-cpp:2 ");
  CHECK(names("plain-c") == "ticks:3 words:2 ");
  CHECK(names("plain-c/words") == "words:2 ");
  CHECK(names(good("plain-c").string()) == "ticks:3 words:2 ");
  CHECK(names("vlm") == "plugin \"vlm\" not found in: " + kGood + ", " + kStandard +
                            "; did you mean \"vllm\"? (package tokometer-plugin-vllm)\n");
}

TEST_CASE("the list reads notes only, and tells what is shadowed or broken") {
  const ScratchFolder folder;
  write_bytes(folder.path() / "plain-c.so", read_bytes(good("plain-c")));
  write_bytes(folder.path() / "empty.so", "");
  write_bytes(folder.path() / "README", "no plugin");
  write_bytes(folder.path() / "Not-A-Name.so", "");
  const auto modules = registry_of({folder.path().string(), kGood, kGood + "/.", "/does/not/exist"}).list();
  REQUIRE(modules.size() == 6);
  CHECK(modules[0].name == "empty");
  CHECK(modules[0].problem == "not a shared object for this machine");
  CHECK(modules[1].name == "hostile");
  CHECK(modules[2].name == "misbehaving");
  CHECK(modules[3].name == "plain-c");
  CHECK(modules[3].path == folder.path() / "plain-c.so");
  CHECK(modules[3].shadowed_by.empty());
  CHECK(modules[3].note.version == "1.2.3");
  CHECK(modules[4].name == "plain-c");
  CHECK(modules[4].shadowed_by == folder.path() / "plain-c.so");
  CHECK(modules[5].name == "plain-cpp");
  // crash-at-load would end this process if anything of it ran.
  CHECK(registry_of({kBad}).list().size() > 20);
}

// Sets a variable until the end of the test.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    const char* before = getenv(name);
    if (before != nullptr) before_ = before;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Environment() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST_CASE("the search path: flags, environment, home, installation; never the working directory") {
  const auto folders = [](const SearchOptions& options) {
    std::string text;
    for (const auto& each : Registry::default_search_path(options).directories)
      text += each.origin + "=" + each.path + "\n";
    return text;
  };
  const std::string installed =
      "installation=" + fs::canonical(TOKOMETER_BUILD_DIR).string() + "/lib/tokometer/plugins-1\n";
  const std::string here = fs::current_path().string();
  {
    const Environment path("TOKOMETER_PLUGIN_PATH", "/opt/a:relative::.:/opt/b");
    const Environment home("HOME", "/home/me");
    CHECK(folders({.plugin_dirs = {"/opt/x", "y/../z"}}) ==
          "--plugin-dir=/opt/x\n--plugin-dir=" + here +
              "/z\nTOKOMETER_PLUGIN_PATH=/opt/a\nTOKOMETER_PLUGIN_PATH=/opt/b\n"
              "home=/home/me/.local/lib/tokometer/plugins-1\n" +
              installed);
  }
  const Environment path("TOKOMETER_PLUGIN_PATH", nullptr);
  const Environment home("HOME", nullptr);
  CHECK(folders({}) == installed);
  CHECK(Registry::default_search_path({.trust = true}).trust);
}

}  // namespace
}  // namespace tokometer
