#include "engine/sample_builder.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tokometer {
namespace {

std::string_view view(tkm_str text) {
  return {text.data, text.size};
}
std::string copy(tkm_str text) {
  return std::string(view(text));
}

void cut_to_words(std::string& text, size_t words) {
  size_t end = 0;
  for (; words > 0 && end != std::string::npos; --words) end = text.find(' ', end + 1);
  if (end != std::string::npos) text.resize(end);
}

}  // namespace

SampleBuilder::SampleBuilder() : sample_(std::make_shared<Sample>()) {
  sink_ = {.struct_size = sizeof(tkm_sample_out),
           .reserved = 0,
           .ctx = this,
           .message =
               [](void* self, tkm_str role, tkm_str extra) {
                 of(self).sample_->owned_.push_back({copy(role), copy(extra), {}});
               },
           .part = [](void* self, const tkm_part* part) { of(self).add_part(*part); },
           .text =
               [](void* self, tkm_str text) {
                 of(self).sample_->form = TKM_FORM_TEXT;
                 of(self).sample_->text_ = copy(text);
               },
           .tokens =
               [](void* self, const int32_t* ids, size_t count) {
                 of(self).sample_->form = TKM_FORM_TOKENS;
                 of(self).sample_->tokens.assign(ids, ids + count);
               },
           .lengths =
               [](void* self, int64_t prompt, int64_t output, int32_t mode) {
                 of(self).sample_->prompt_tokens = prompt;
                 of(self).sample_->output_tokens = output;
                 of(self).sample_->output_mode = mode;
               },
           .turn =
               [](void* self, const tkm_turn* turn) {
                 of(self).turn_ = *turn;
                 of(self).session_ = copy(turn->session);
                 of(self).sample_->in_session = true;
                 of(self).sample_->history = turn->history;
                 of(self).sample_->think_time_ns = turn->think_time_ns;
               },
           .answer =
               [](void* self, tkm_str text) {
                 of(self).sample_->answer_ = copy(text);
                 of(self).answered_ = true;
               },
           .route =
               [](void* self, tkm_str model, tkm_str adapter) {
                 of(self).sample_->model_ = copy(model);
                 of(self).sample_->adapter_ = copy(adapter);
               },
           .arrival = [](void* self, int64_t ns) { of(self).sample_->arrival_ns = ns; },
           .extra = [](void* self, tkm_str json) { of(self).sample_->extra_ = copy(json); },
           .tag = [](void*, tkm_str, tkm_str) {},
           .header = [](void* self, tkm_str name,
                        tkm_str value) { of(self).sample_->headers.emplace_back(copy(name), copy(value)); }};
}

Result<RowSize> SampleBuilder::fit_lengths(RunTokenizer* tokenizer) {
  const std::string& answer = sample_->answer_;
  if (sample_->output_tokens < 0 && !answer.empty()) {
    auto tokens = tokenizer != nullptr ? tokenizer->count(answer) : estimated_tokens(answer.size());
    if (!tokens) return tokens.errors();
    sample_->output_tokens = *tokens;
    sample_->output_mode = TKM_OUTPUT_AT_MOST;
  }
  if (sample_->prompt_tokens < 0 && tokenizer != nullptr && begins_prompt()) {
    auto tokens = count_prompt(*tokenizer);
    if (!tokens) return tokens.errors();
    sample_->prompt_tokens = *tokens;
  }
  RowSize row{.prompt_tokens = sample_->prompt_tokens, .output_tokens = -1, .turns = 1};
  if (row.prompt_tokens < 0) row.prompt_tokens = estimated_tokens(prompt_bytes());
  row.output_tokens = sample_->output_tokens;
  if (!sample_->owned_.empty()) {
    row.turns = std::count_if(sample_->owned_.begin(), sample_->owned_.end(),
                              [](const auto& message) { return message.role != "system"; });
  }
  row.turns += answered_ ? 1 : 0;
  return row;
}

Result<void> SampleBuilder::fit_row(PromptFit& fit) {
  if (const auto output = fit.draw_output()) {
    sample_->output_tokens = *output;
    sample_->output_mode = TKM_OUTPUT_EXACT;
  }
  const auto input = fit.draw_input();
  if (!input) return {};
  if (sample_->form == TKM_FORM_TOKENS) {
    fit.fit(sample_->tokens, *input);
    sample_->prompt_tokens = *input;
    return {};
  }
  std::string* text = last_text();
  if (text == nullptr || text->empty()) return Error{"has no text to cut or repeat"};
  auto others = count_texts_but(*text, fit);
  if (!others) return others.errors();
  const int64_t rest = *others + fit.overhead_tokens();
  if (rest >= *input) {
    return Error{"has " + std::to_string(rest) + " tokens in front of its last text already, of " +
                 std::to_string(*input) + " that dataset.rows.input_tokens asks"};
  }
  auto tokens = fit.fit(*text, *input - rest);
  if (!tokens) return tokens.errors();
  sample_->prompt_tokens = fit.counts_exactly() ? rest + *tokens : -1;
  return {};
}

std::shared_ptr<Sample> SampleBuilder::finish(uint64_t index, const SampleRules& rules) {
  sample_->index = index;
  if (!sample_->owned_.empty()) sample_->form = TKM_FORM_CHAT;
  // Answers can go between messages only.
  if (sample_->form == TKM_FORM_TEXT && (rules.text_as_chat || in_session())) text_to_message();
  if (std::string* text = first_text(); text != nullptr) {
    if (rules.word_limit > 0) cut_to_words(*text, rules.word_limit);
    if (!rules.nonce.empty() && begins_prompt()) *text = rules.nonce + ' ' + *text;
  }
  build_views();
  if (!in_session()) sample_->answer_ = {};
  return std::move(sample_);
}

void SampleBuilder::link(Sample& first, std::vector<std::shared_ptr<Sample>> later) {
  bool script = false, server = false;
  for (size_t i = later.size() + 1; i-- > 0;) {
    Sample& turn = i == 0 ? first : *later[i - 1];
    turn.keeps_answer = server;
    if (!script) turn.answer_ = {};
    script = script || turn.history == TKM_HISTORY_SCRIPT;
    server = server || turn.history == TKM_HISTORY_SERVER;
  }
  first.later.assign(later.begin(), later.end());
}

void SampleBuilder::add_part(const tkm_part& part) {
  if (sample_->owned_.empty()) return;  // a part without a message belongs nowhere
  tkm_part kept = part;
  kept.type = {};  // media types come with the media parts that a later version sends
  sample_->owned_.back().parts.emplace_back(kept, copy(part.data));
}

// Nothing said before goes in front of it.
bool SampleBuilder::begins_prompt() const {
  return turn_.turn == 0 || sample_->history == TKM_HISTORY_NONE;
}

size_t SampleBuilder::prompt_bytes() const {
  size_t bytes = sample_->text_.size() + 4 * sample_->tokens.size();
  for (const Sample::Message& message : sample_->owned_) {
    for (const auto& [part, text] : message.parts) bytes += part.kind == TKM_PART_TEXT ? text.size() : 0;
  }
  return bytes;
}

// What is sent as text; the chat template around it is the server's own.
Result<int64_t> SampleBuilder::count_prompt(RunTokenizer& tokenizer) const {
  auto tokens = tokenizer.count(sample_->text_);
  if (!tokens) return tokens;
  int64_t all = *tokens + static_cast<int64_t>(sample_->tokens.size());
  for (const Sample::Message& message : sample_->owned_) {
    for (const auto& [part, text] : message.parts) {
      if (part.kind != TKM_PART_TEXT) continue;
      tokens = tokenizer.count(text);
      if (!tokens) return tokens;
      all += *tokens;
    }
  }
  return all;
}

void SampleBuilder::text_to_message() {
  sample_->form = TKM_FORM_CHAT;
  sample_->owned_.push_back({"user", "", {}});
  add_part(tkm_part{TKM_PART_TEXT, 0, {}, sample_->text()});
  sample_->text_.clear();
}

// The text that the prompt begins with; null if it has none.
std::string* SampleBuilder::first_text() {
  if (sample_->form == TKM_FORM_TEXT) return &sample_->text_;
  if (sample_->form != TKM_FORM_CHAT) return nullptr;
  for (auto& [part, bytes] : sample_->owned_.front().parts) {
    if (part.kind == TKM_PART_TEXT) return &bytes;
  }
  return nullptr;
}

// The text that is asked for: what stands in front of it is instruction or example.
std::string* SampleBuilder::last_text() {
  if (sample_->owned_.empty()) return &sample_->text_;
  for (auto message = sample_->owned_.rbegin(); message != sample_->owned_.rend(); ++message) {
    for (auto part = message->parts.rbegin(); part != message->parts.rend(); ++part) {
      if (part->first.kind == TKM_PART_TEXT) return &part->second;
    }
  }
  return nullptr;
}

Result<int64_t> SampleBuilder::count_texts_but(const std::string& one, const PromptFit& fit) const {
  int64_t all = 0;
  for (const Sample::Message& message : sample_->owned_) {
    for (const auto& [part, text] : message.parts) {
      if (part.kind != TKM_PART_TEXT || &text == &one) continue;
      const auto tokens = fit.count(text);
      if (!tokens) return tokens;
      all += *tokens;
    }
  }
  return all;
}

void SampleBuilder::build_views() {
  for (Sample::Message& message : sample_->owned_) {
    for (auto& [part, bytes] : message.parts) {
      part.data = Sample::view(bytes);
      sample_->parts_.push_back(part);
    }
  }
  const tkm_part* parts = sample_->parts_.data();
  for (const Sample::Message& message : sample_->owned_) {
    sample_->messages_.push_back(
        {Sample::view(message.role), Sample::view(message.extra), parts, message.parts.size()});
    parts += message.parts.size();
  }
}

}  // namespace tokometer
