// Lengths in tokens in the words of `synthetic`: a whole number, or a distribution with just the parts that
// it uses.
#include <array>
#include <cmath>

#include "config/section_values.hpp"
#include "config/sections.hpp"
#include "config/sentences.hpp"

namespace tokometer {
namespace {

using namespace section;  // NOLINT: made for this file
using Length = RunFile::TokenLength;

class LengthReader {
 public:
  LengthReader(const Node& node, std::vector<Error>& faults) : node_(node), faults_(faults) {}

  Length read(const Json& json) {
    constexpr std::array<std::string_view, 4> kWords{"fixed", "uniform", "normal", "lognormal"};
    const std::string word(tkm::get_string(json, "distribution"));
    Length length;
    if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) return length;  // told by the schema
    read_word(json, "distribution", kWords, length.kind);
    const bool uniform = length.kind == Length::Kind::uniform;
    const bool spread = length.kind == Length::Kind::normal || length.kind == Length::Kind::lognormal;
    check_part(word, "mean", !uniform, !uniform);
    check_part(word, "stddev", spread, spread);
    check_part(word, "min", uniform, uniform || spread);
    check_part(word, "max", uniform, uniform || spread);
    length.mean = tkm::get_number(json, "mean", 1);
    length.stddev = tkm::get_number(json, "stddev", 0);
    length.min = std::llround(tkm::get_number(json, "min", 1));
    length.max = std::llround(tkm::get_number(json, "max", static_cast<double>(length.max)));
    const Node* max = node_.find("max");
    if (length.min > length.max && max != nullptr)
      faults_.push_back(fault_at_value(*max, "is below min " + std::to_string(length.min) + " " + got(*max)));
    return length;
  }

 private:
  // A part that is ignored would be a lie.
  void check_part(const std::string& word, const char* part, bool needed, bool allowed) {
    const Node* node = node_.find(part);
    if (node == nullptr && needed) {
      faults_.push_back(
          fault_at_value(node_, "distribution \"" + word + "\" needs \"" + std::string(part) + "\""));
    } else if (node != nullptr && !allowed) {
      faults_.push_back(fault_at_key(*node, "distribution \"" + word + "\" has no such part"));
    }
  }

  const Node& node_;
  std::vector<Error>& faults_;
};

}  // namespace

std::optional<RunFile::TokenLength> read_token_length(const tkm::Json& rows, const Node* node,
                                                      std::vector<Error>& faults) {
  if (node == nullptr || node->unresolved) return std::nullopt;
  const Json* json = tkm::find(rows, node->key);
  if (json == nullptr) return std::nullopt;
  if (json->IsObject()) return LengthReader(*node, faults).read(*json);
  Length length;
  if (const auto tokens = tkm::int_of(*json)) length.mean = static_cast<double>(*tokens);
  return length;
}

}  // namespace tokometer
