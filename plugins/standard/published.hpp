// Options that the datasets of published sets share.
#pragma once

#include <tokometer/options.hpp>

#include <string>

namespace standard {

inline constexpr auto kSummarize = "Summarize the following text in a few sentences.";

struct FileOptions {
  std::string file;

  // For a struct derived from this.
  template <class T>
  static void add_file(tkm::OptionSet<T>& o) {
    o.add("file", static_cast<std::string T::*>(&FileOptions::file))
        .path()
        .required()
        .not_empty()
        .help("The set as it is published, as JSON: an array of records, or one per line.");
  }
  static void options(tkm::OptionSet<FileOptions>& o) { add_file(o); }
};

template <class T>
void add_instruction(tkm::OptionSet<T>& o, std::string T::*member) {
  o.add("instruction", member).help("Text in front of each prompt, with an empty line between; \"\": none.");
}

}  // namespace standard
