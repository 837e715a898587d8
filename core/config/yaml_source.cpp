#include "config/yaml_source.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr const char* kTab = "a tab cannot be used for indentation";

// yaml-cpp's words, or the start of them, and ours.
struct Rewording {
  std::string_view theirs;
  std::string_view ours;
};
constexpr std::array kRewordings{
    Rewording{"illegal map value",
              "a second \":\" on one line, or wrong indentation; put text with \": \" in quotes"},
    Rewording{"illegal block entry", "a list (\"- \") cannot begin here; put it on a line of its own"},
    Rewording{"illegal map key", "a key cannot begin here; check the indentation"},
    Rewording{"illegal flow end", "a closing bracket without its opening one"},
    Rewording{"end of map not found", "wrong indentation: this line belongs to nothing above it"},
    Rewording{"end of sequence not found", "wrong indentation: this line belongs to nothing above it"},
    Rewording{"unknown escape character", "unknown escape in double quotes; use single quotes or \"\\\\\""},
    Rewording{"illegal EOF in scalar", "this quote is never closed"},
    Rewording{"invalid unicode", "not a valid Unicode escape"},
};

bool starts_value(std::string_view complaint) {
  return complaint.starts_with("unknown token");
}

bool flow_is_open(std::string_view complaint) {
  return complaint.starts_with("end of map flow") || complaint.starts_with("end of sequence flow");
}

}  // namespace

YamlSource::YamlSource(std::string_view text, std::string file_name)
    : text_(text), file_name_(std::move(file_name)), line_starts_{0} {
  for (size_t at = 0; at < text_.size(); ++at) {
    if (text_[at] == '\n') line_starts_.push_back(at + 1);
  }
}

std::optional<Error> YamlSource::unreadable() const {
  if (text_.size() > kMaxYamlBytes) return fault("larger than 1 MiB");
  bool begun = false;  // something other than comments came
  for (size_t number = 0; number < line_starts_.size(); ++number) {
    const bool begun_before = begun;
    const int index = static_cast<int>(number);
    const std::string_view content = line(index);
    for (size_t at = 0; at < content.size(); ++at) {
      const auto byte = static_cast<unsigned char>(content[at]);
      const bool control = (byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7f;
      if (control) {
        return fault({index, static_cast<int>(at)},
                     "control character " + escape_terminal(content.substr(at, 1)) + " is not allowed");
      }
    }
    if (!is_valid_utf8(content)) return fault({index, 0}, "this line is not valid UTF-8");
    begun |= content.find_first_not_of(" \t\r") != std::string_view::npos && !content.starts_with('#');
    if (!begun_before && content.starts_with('%')) {
      return fault({index, 0}, "YAML directives (\"%\") are not allowed");
    }
  }
  return std::nullopt;
}

Position YamlSource::position(Place place) const {
  const std::string_view before = line(place.line).substr(0, static_cast<size_t>(place.column));
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; };
  const auto characters =
      static_cast<ptrdiff_t>(before.size()) - std::count_if(before.begin(), before.end(), continues);
  return {file_name_, place.line + 1, static_cast<int>(characters) + 1};
}

Error YamlSource::fault(Place place, const std::string& message) const {
  const Position at = position(place);
  return {message, at.file, at.line, at.column};
}

Error YamlSource::fault(const std::string& message) const {
  return {message, file_name_};
}

char YamlSource::byte_at(Place place) const {
  const size_t at = offset(place);
  return at < text_.size() ? text_[at] : '\0';
}

std::optional<Error> YamlSource::unclosed_quote(Place place) const {
  const char quote = byte_at(place);
  if (quote != '"' && quote != '\'') return std::nullopt;
  for (size_t at = offset(place) + 1; at < text_.size(); ++at) {
    if (text_[at] == '\\' && quote == '"') {
      ++at;
    } else if (text_[at] == quote) {
      if (quote == '"' || at + 1 >= text_.size() || text_[at + 1] != '\'') return std::nullopt;
      ++at;  // '' inside single quotes stands for one
    }
  }
  return fault(place, "this quote is never closed");
}

std::optional<Error> YamlSource::tab_indentation(Place place) const {
  const std::string_view content = line(place.line);
  const size_t tab = content.find('\t');
  if (tab == std::string_view::npos || tab > content.find_first_not_of(" \t")) return std::nullopt;
  return fault({place.line, static_cast<int>(tab)}, kTab);
}

Error YamlSource::explain(const std::string& complaint, Place place, std::optional<Place> open_flow) const {
  if (auto tab = tab_indentation(place)) return *tab;
  if (complaint.starts_with("illegal tab")) return fault(place, kTab);
  const size_t at = offset(place);
  if (at > 0 && at < text_.size() && text_[at] == '{' && text_[at - 1] == '$') {
    return fault({place.line, place.column - 1},
                 "inside { } and [ ] a value with ${...} needs quotes: YAML ends it at the \"{\"");
  }
  if (open_flow && flow_is_open(complaint)) {
    const char open = byte_at(*open_flow);
    return fault(*open_flow, std::string("this \"") + open +
                                 "\" is never closed, or a \",\" is missing between its entries");
  }
  if (starts_value(complaint)) {
    return fault(place, "a value cannot begin with \"" + escape_terminal(text_.substr(at, 1)) +
                            "\"; put it in quotes");
  }
  const size_t first = line(place.line).find_first_not_of(' ');
  if (complaint.ends_with("not found") && first < static_cast<size_t>(place.column)) {
    return fault(place, "unexpected text after the end of a value; put the whole value in quotes");
  }
  for (const Rewording& wording : kRewordings) {
    if (complaint.starts_with(wording.theirs)) return fault(place, std::string(wording.ours));
  }
  return fault(place, "not valid YAML: " + escape_terminal(complaint));
}

size_t YamlSource::offset(Place place) const {
  if (static_cast<size_t>(place.line) >= line_starts_.size()) return text_.size();
  return std::min(line_starts_[static_cast<size_t>(place.line)] + static_cast<size_t>(place.column),
                  text_.size());
}

std::string_view YamlSource::line(int number) const {
  if (static_cast<size_t>(number) >= line_starts_.size()) return {};
  const std::string_view rest = text_.substr(line_starts_[static_cast<size_t>(number)]);
  return rest.substr(0, rest.find('\n'));
}

}  // namespace tokometer
