// `tokometer plugin doctor`: where plugins are looked for and why, every file there, whether it loads, and if
// not why, with a hint. Files are loaded in child processes. Reads folders and files, changes nothing.
#pragma once

#include <string>
#include <vector>

#include "plugin/registry.hpp"

namespace tokometer::check {

struct FolderDiagnosis {
  std::string path, origin;  // as SearchDirectory
  std::string problem;       // "does not exist", "/p is writable by others"; empty: none
  int files = 0;             // that end in .so
};

struct FileDiagnosis {
  std::string path;
  enum class State { loads, shadowed, ignored, refused, crashes } state = State::loads;
  std::string sentence;  // what it is, or why not
  std::string hint;      // what to do; empty: nothing
};

struct Diagnosis {
  std::vector<FolderDiagnosis> folders;
  std::vector<std::string> remarks;  // entries of TOKOMETER_PLUGIN_PATH that are left out, ...
  std::vector<FileDiagnosis> files;
  bool is_well() const;  // no file is refused or crashes
};

// `about`: a module's name, an absolute path of a file, or empty for all. Nothing found for a name is a
// remark, with the nearest one.
Diagnosis diagnose(const SearchPath& search_path, const std::string& about);

// The hint for a sentence of the loader about this file; empty: none.
std::string hint_for(const std::string& sentence, const std::string& path);

std::string render_diagnosis_text(const Diagnosis& diagnosis);
std::string render_diagnosis_json(const Diagnosis& diagnosis);

}  // namespace tokometer::check
