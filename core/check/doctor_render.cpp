#include <tokometer/json.hpp>

#include <array>

#include "base/text.hpp"
#include "check/doctor.hpp"

namespace tokometer::check {
namespace {

std::string_view word(FileDiagnosis::State state) {
  constexpr std::array<std::string_view, 5> kWords{"loads", "shadowed", "ignored", "refused", "crashes"};
  return kWords[static_cast<size_t>(state)];
}

std::string shown(const std::string& text) {
  return escape_terminal(text, 1024);
}

std::string folder_line(const FolderDiagnosis& folder, size_t number) {
  std::string line =
      "  " + std::to_string(number) + ". " + shown(folder.path) + "  (" + folder.origin + ")  ";
  if (!folder.problem.empty()) return line + shown(folder.problem) + "\n";
  return line + std::to_string(folder.files) + (folder.files == 1 ? " file\n" : " files\n");
}

}  // namespace

std::string render_diagnosis_text(const Diagnosis& it) {
  std::string text = "Folders, in the order in which they are searched; the first that has a file wins:\n";
  size_t number = 0;
  for (const FolderDiagnosis& folder : it.folders) text += folder_line(folder, ++number);
  if (!it.files.empty()) text += "\nFiles:\n";
  for (const FileDiagnosis& file : it.files) {
    text += "  " + shown(file.path) + "\n    " + std::string(word(file.state)) + ": " + shown(file.sentence) +
            "\n";
    if (!file.hint.empty()) text += "    hint: " + shown(file.hint) + "\n";
  }
  if (!it.remarks.empty()) text += "\n";
  for (const std::string& remark : it.remarks) text += shown(remark) + "\n";
  return text;
}

std::string render_diagnosis_json(const Diagnosis& it) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("doctor", 1).member("well", it.is_well()).key("folders").begin_array();
  for (const FolderDiagnosis& folder : it.folders) {
    json.begin_object().member("path", shown(folder.path)).member("origin", folder.origin);
    json.member("files", folder.files).member("problem", shown(folder.problem)).end_object();
  }
  json.end_array().key("files").begin_array();
  for (const FileDiagnosis& file : it.files) {
    json.begin_object().member("path", shown(file.path)).member("state", word(file.state));
    json.member("sentence", shown(file.sentence)).member("hint", shown(file.hint)).end_object();
  }
  json.end_array().key("remarks").begin_array();
  for (const std::string& remark : it.remarks) json.value(shown(remark));
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace tokometer::check
