#include "check/doctor.hpp"

#include <tokometer/json.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/text.hpp"
#include "check/finding.hpp"
#include "check/survey.hpp"
#include "plugin/component.hpp"
#include "plugin/names.hpp"
#include "plugin/plugin_file.hpp"

namespace tokometer::check {
namespace {

namespace fs = std::filesystem;
using State = FileDiagnosis::State;

constexpr int64_t kLoadLimitNs = 20'000'000'000;

Trust trust_of(const SearchPath& path) {
  return path.trust ? Trust::skip : Trust::check;
}

std::vector<std::string> plugin_files(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code failure;
  for (auto entry = fs::directory_iterator(folder, failure); !failure && entry != fs::directory_iterator();
       entry.increment(failure)) {
    if (entry->path().extension() == ".so") paths.push_back(entry->path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Why nothing of this folder would be loaded; empty: no reason.
std::string problem_of_folder(const std::string& folder, bool trust) {
  std::error_code failure;
  const fs::path real = fs::canonical(folder, failure);
  if (failure) return failure == std::errc::no_such_file_or_directory ? "does not exist" : failure.message();
  if (!fs::is_directory(real, failure)) return "is no folder";
  const fs::directory_iterator first(real, failure);
  if (failure) return "cannot be read: " + failure.message();
  const Reader reader = Reader::current();
  for (fs::path place = real; !trust; place = place.parent_path()) {
    struct stat facts {};
    if (::stat(place.c_str(), &facts) != 0) return place.string() + " cannot be examined";
    if (auto reason = reason_for_distrust(place, facts, reader)) return *reason;
    if (!place.has_relative_path()) break;
  }
  return {};
}

std::string list_of(const std::vector<Survey::Found>& components) {
  std::string text;
  for (const auto& it : components) {
    text += (text.empty() ? "" : ", ") + it.name + " (" + std::string(kind_name(it.kind)) + ")";
  }
  return text.empty() ? "no component that this program knows" : text;
}

FileDiagnosis refused(const std::string& path, std::string sentence) {
  const std::string about_file = path + ": ";
  if (sentence.starts_with(about_file)) sentence.erase(0, about_file.size());
  return {path, State::refused, sentence, hint_for(sentence, path)};
}

FileDiagnosis examine(const std::string& path, Trust trust) {
  const auto note = inspect_library(path, trust);
  if (!note) return refused(path, note.error().message);
  const Survey found = survey(path, trust, kLoadLimitNs);
  if (!found.errors.empty()) return refused(path, found.errors.front().message);
  if (!found.loads()) {
    return {path, State::crashes, found.crash.sentence, "tokometer plugin check says more; gdb shows where"};
  }
  return {path,
          State::loads,
          note->module + " " + note->version + ", plugin ABI " + std::to_string(note->major) + "." +
              std::to_string(note->minor) + ": " + list_of(found.components),
          {}};
}

// The first file of this name on the path, unless it is this one.
std::string winner_over(const std::vector<FileDiagnosis>& files, const std::string& path) {
  for (const FileDiagnosis& other : files) {
    const bool counts = other.state != State::ignored && other.state != State::shadowed;
    if (counts && fs::path(other.path).filename() == fs::path(path).filename()) return other.path;
  }
  return {};
}

FileDiagnosis diagnose_file(const std::string& path, const std::vector<FileDiagnosis>& before, Trust trust) {
  if (!is_module_name(fs::path(path).stem().string())) {
    return {path, State::ignored,
            "is never looked for: module names are a-z, 0-9 and -, and begin with a letter",
            "rename module and file"};
  }
  const std::string winner = winner_over(before, path);
  if (winner.empty()) return examine(path, trust);
  std::error_code failure;
  const bool is_same = fs::equivalent(winner, path, failure);
  return {path,
          State::shadowed,
          is_same ? "is the same file as " + winner : "is not used: " + winner + " comes first",
          {}};
}

std::vector<std::string> remarks_on_environment() {
  std::vector<std::string> remarks;
  const char* value = ::secure_getenv("TOKOMETER_PLUGIN_PATH");
  std::string rest = value != nullptr ? value : "";
  while (!rest.empty()) {
    const std::string entry = rest.substr(0, rest.find(':'));
    rest.erase(0, entry.size() + 1);
    if (!entry.empty() && !fs::path(entry).is_absolute()) {
      remarks.push_back("TOKOMETER_PLUGIN_PATH: " + in_quotes(entry) +
                        " is left out, since it is no absolute path");
    }
  }
  return remarks;
}

std::string not_found(const std::vector<std::string>& names, const std::string& about) {
  const auto near = nearest_name(about, names);
  return "no folder has " + escape_terminal(about, 80) + ".so" +
         (near ? "; did you mean " + in_quotes(*near) + "?" : "");
}

}  // namespace

bool Diagnosis::is_well() const {
  return std::none_of(files.begin(), files.end(), [](const FileDiagnosis& file) {
    return file.state == State::refused || file.state == State::crashes;
  });
}

Diagnosis diagnose(const SearchPath& search_path, const std::string& about) {
  Diagnosis it;
  it.remarks = remarks_on_environment();
  const bool is_file = about.starts_with("/") || about.ends_with(".so");
  std::vector<std::string> names;
  for (const SearchDirectory& directory : search_path.directories) {
    const auto paths = plugin_files(directory.path);
    it.folders.push_back({directory.path, directory.origin,
                          problem_of_folder(directory.path, search_path.trust),
                          static_cast<int>(paths.size())});
    for (const std::string& path : paths) {
      const std::string name = fs::path(path).stem().string();
      names.push_back(name);
      if (is_file || (!about.empty() && name != about)) continue;
      it.files.push_back(diagnose_file(path, it.files, trust_of(search_path)));
    }
  }
  if (is_file) it.files.push_back(examine(about, trust_of(search_path)));
  if (!about.empty() && it.files.empty()) it.remarks.push_back(not_found(names, about));
  return it;
}

}  // namespace tokometer::check
