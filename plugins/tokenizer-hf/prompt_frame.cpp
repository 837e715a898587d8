#include "prompt_frame.hpp"

#include <tokometer/plugin.hpp>

#include <string>

namespace tokenizer_hf {
namespace {

void add_ids(const Part& json, std::string_view name, std::vector<int32_t>& ids) {
  const Part token = json.member("special_tokens").member(name);
  for (const Part& each : token.items("ids")) {
    const auto id = id_of(each.json());
    if (!id) each.malformed("must be a token id, a whole number from 0");
    ids.push_back(*id);
  }
}

// One text among special tokens.
PromptFrame read_template(const Part& json) {
  json.allow_only({"single", "pair", "special_tokens"});
  PromptFrame frame;
  bool behind = false;
  for (const Part& piece : json.items("single")) {
    if (piece.has("Sequence")) {
      if (behind) piece.unknown("a second Sequence is not supported");
      behind = true;
    } else {
      add_ids(json, piece.member("SpecialToken").text("id"), behind ? frame.after : frame.before);
    }
  }
  if (!behind) json.member("single").malformed("has no Sequence");
  return frame;
}

}  // namespace

PromptFrame read_prompt_frame(const Part& json) {
  const std::string_view type = json.type();
  if (type == "ByteLevel") return {};  // it moves offsets only
  if (type == "TemplateProcessing") return read_template(json);
  if (type != "Sequence") json.unknown_type("Sequence, ByteLevel, TemplateProcessing");
  PromptFrame frame;
  for (const Part& each : json.items("processors")) {
    const PromptFrame more = read_prompt_frame(each);
    frame.before.insert(frame.before.begin(), more.before.begin(), more.before.end());
    frame.after.insert(frame.after.end(), more.after.begin(), more.after.end());
  }
  return frame;
}

}  // namespace tokenizer_hf
