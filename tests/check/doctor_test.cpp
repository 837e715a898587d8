// What the doctor says of folders and files that are not as they should be.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "check/doctor.hpp"

using namespace tokometer;
using namespace tokometer::check;

namespace {

namespace fs = std::filesystem;
using State = FileDiagnosis::State;

const std::string kPlugins = TOKOMETER_BUILD_DIR "/tests/plugins/";

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "tokometer-doctor-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path path;
};

const FileDiagnosis& file_of(const Diagnosis& it, const std::string& name) {
  const auto found = std::find_if(it.files.begin(), it.files.end(),
                                  [&](const FileDiagnosis& file) { return file.path.ends_with(name); });
  REQUIRE(found != it.files.end());
  return *found;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("files that load, are shadowed, ignored, refused, or crash") {
  const Folder first, second;
  fs::copy(kPlugins + "good/plain-c.so", first.path);
  fs::copy(kPlugins + "good/plain-c.so", second.path);
  fs::copy(kPlugins + "good/plain-c.so", second.path / "Odd_Name.so");
  fs::copy(kPlugins + "bad/undefined-symbol.so", second.path);
  fs::copy(kPlugins + "bad/crash-at-load.so", second.path);
  std::ofstream(second.path / "text.so") << "#!/bin/sh\n";
  const SearchPath search{
      {{first.path, "--plugin-dir"}, {"/no/such/folder", "home"}, {second.path, "installation"}}, false};
  const Diagnosis it = diagnose(search, "");
  CHECK_FALSE(it.is_well());
  REQUIRE(it.folders.size() == 3);
  CHECK(it.folders[0].files == 1);
  CHECK(it.folders[0].problem == "");
  CHECK(it.folders[1].problem == "does not exist");
  CHECK(it.folders[2].files == 5);
  const auto& loaded = file_of(it, first.path.filename().string() + "/plain-c.so");
  CHECK(loaded.state == State::loads);
  CHECK(holds(loaded.sentence, "plain-c 1.2.3, plugin ABI 1.0: "));
  const auto& shadowed = file_of(it, second.path.filename().string() + "/plain-c.so");
  CHECK(shadowed.state == State::shadowed);
  CHECK(holds(shadowed.sentence, first.path.string()));
  CHECK(file_of(it, "Odd_Name.so").state == State::ignored);
  const auto& undefined = file_of(it, "undefined-symbol.so");
  CHECK(undefined.state == State::refused);
  CHECK(holds(undefined.sentence, "undefined symbol: foo"));
  CHECK(holds(undefined.hint, "-z,defs"));
  CHECK(file_of(it, "crash-at-load.so").state == State::crashes);
  CHECK(holds(file_of(it, "text.so").hint, "it begins with \"#!/bin/sh\\n\""));
  const std::string text = render_diagnosis_text(it);
  CHECK(holds(text, "  2. /no/such/folder  (home)  does not exist\n"));
  CHECK(holds(text, "refused: undefined symbol: foo"));
  CHECK(holds(render_diagnosis_json(it), R"("state":"shadowed")"));
}

TEST_CASE("one name, one file") {
  const Folder folder;
  fs::copy(kPlugins + "good/plain-c.so", folder.path);
  fs::copy(kPlugins + "good/plain-cpp.so", folder.path);
  const SearchPath search{{{folder.path, "--plugin-dir"}}, false};
  CHECK(diagnose(search, "plain-c").files.size() == 1);
  CHECK(diagnose(search, "plain-c").is_well());
  CHECK(diagnose(search, (folder.path / "plain-cpp.so").string()).files.size() == 1);
  const Diagnosis none = diagnose(search, "plain-d");
  CHECK(none.files.empty());
  REQUIRE(none.remarks.size() == 1);
  CHECK(none.remarks.front() == "no folder has plain-d.so; did you mean \"plain-c\"?");
}

TEST_CASE("what others could have changed") {
  const Folder folder;
  fs::copy(kPlugins + "good/plain-c.so", folder.path);
  REQUIRE(::chmod(folder.path.c_str(), 0777) == 0);
  const Diagnosis it = diagnose({{{folder.path, "--plugin-dir"}}, false}, "");
  CHECK(holds(it.folders.front().problem, "is writable by others"));
  CHECK(it.files.front().state == State::refused);
  CHECK(holds(it.files.front().hint, "chmod go-w"));
  CHECK(diagnose({{{folder.path, "--plugin-dir"}}, true}, "").is_well());
}

TEST_CASE("relative entries of the variable are named") {
  setenv("TOKOMETER_PLUGIN_PATH", "some/where:/tmp", 1);
  const Diagnosis it = diagnose({}, "");
  unsetenv("TOKOMETER_PLUGIN_PATH");
  REQUIRE(it.remarks.size() == 1);
  CHECK(holds(it.remarks.front(), "\"some/where\" is left out"));
}

TEST_CASE("hints for what the dynamic linker says") {
  struct Row {
    const char *sentence, *hint;
  };
  const Row rows[] = {
      {"libfoo.so.1: cannot open shared object file: No such file or directory",
       "needs the library libfoo.so.1"},
      {"/lib/libstdc++.so.6: version `GLIBCXX_3.4.99' not found (required by /p/x.so)", "-static-libstdc++"},
      {"/lib/libc.so.6: version `GLIBC_2.99' not found (required by /p/x.so)", "newer C library"},
      {"undefined symbol: _ZN3foo3barEv", "foo::bar()"},
      {"built for plugin ABI 2; this program speaks ABI 1", "headers of this program"}};
  for (const Row& row : rows) CHECK(holds(hint_for(row.sentence, "/p/x.so"), row.hint));

  // An ELF head of another machine.
  const Folder folder;
  std::ifstream good(kPlugins + "good/plain-c.so", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(good)), {});
  bytes[18] = '\xf3', bytes[19] = '\0';
  std::ofstream(folder.path / "other.so", std::ios::binary) << bytes;
  CHECK(holds(hint_for("not a shared object for this machine", (folder.path / "other.so").string()),
              "built for RISC-V"));
}
