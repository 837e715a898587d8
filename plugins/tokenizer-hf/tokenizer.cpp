#include "tokenizer.hpp"

#include <utf8proc.h>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <utility>

namespace tokenizer_hf {
namespace {

void check_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t letter = 0;
    const auto bytes = *at < 0x80 ? 1 : utf8proc_iterate(at, left, &letter);
    if (bytes <= 0) {
      throw tkm::input_error("the text is not UTF-8 at byte " +
                             std::to_string(static_cast<utf8proc_ssize_t>(text.size()) - left));
    }
    at += bytes;
    left -= bytes;
  }
}

}  // namespace

Tokenizer::Tokenizer(const Part& json) : model_(json.member("model")), last_id_(model_.last_id()) {
  json.allow_only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                   "post_processor", "decoder", "model"});
  if (json.has("normalizer")) normalizer_ = read_normalizer(json.member("normalizer"));
  if (json.has("pre_tokenizer")) pre_tokenizer_ = read_pre_tokenizer(json.member("pre_tokenizer"));
  if (json.has("post_processor")) frame_ = read_prompt_frame(json.member("post_processor"));
  if (json.has("added_tokens")) read_added_tokens(json);
  for (const auto* ids : {&frame_.before, &frame_.after}) {
    for (const int32_t id : *ids) last_id_ = std::max(last_id_, id);
  }
}

void Tokenizer::read_added_tokens(const Part& json) {
  for (const Part& each : json.items("added_tokens")) {
    AddedToken token = read_added_token(each);
    const auto known = model_.find(token.content);
    if (known && *known != token.id) {
      each.malformed("the id of " + in_quotes(token.content) + " is " + std::to_string(token.id) +
                     " here and " + std::to_string(*known) + " in model.vocab");
    }
    last_id_ = std::max(last_id_, token.id);
    TokenFinder& finder = token.normalized ? in_normalized_ : in_raw_;
    if (token.normalized && normalizer_) normalizer_->apply(token.content);
    finder.add(std::move(token));
  }
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool as_prompt) {
  check_utf8(text);
  std::vector<int32_t> ids;
  if (as_prompt) ids = frame_.before;
  for (const Piece& piece : in_raw_.cut(text)) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      encode_raw(piece.text, piece.text.data() == text.data(), ids);
    }
  }
  if (as_prompt) ids.insert(ids.end(), frame_.after.begin(), frame_.after.end());
  return ids;
}

void Tokenizer::encode_raw(std::string_view text, bool at_start, std::vector<int32_t>& ids) {
  std::string normalized(text);
  if (normalizer_) normalizer_->apply(normalized);
  for (const Piece& piece : in_normalized_.cut(normalized)) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      encode_normalized(piece.text, at_start && piece.text.data() == normalized.data(), ids);
    }
  }
}

void Tokenizer::encode_normalized(std::string_view text, bool at_start, std::vector<int32_t>& ids) {
  words_.clear();
  Word whole{std::string(text), at_start};
  if (pre_tokenizer_) {
    pre_tokenizer_->apply(std::move(whole), words_);
  } else {
    words_.push_back(std::move(whole));
  }
  for (const Word& word : words_) model_.encode(word.text, ids);
}

}  // namespace tokenizer_hf
