// The sink of one `next` of a dataset: collects what it says into a Sample, finds out or fits its lengths,
// and hands it over. Made by a SampleSource for each row and each turn of a session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/samples.hpp"

namespace tokometer {

class SampleBuilder {
 public:
  SampleBuilder();
  SampleBuilder(const SampleBuilder&) = delete;
  SampleBuilder& operator=(const SampleBuilder&) = delete;

  const tkm_sample_out& sink() const { return sink_; }
  bool in_session() const { return sample_->in_session; }
  bool goes_on() const { return in_session() && turn_.last == 0; }
  uint32_t turn() const { return turn_.turn; }
  const std::string& session() const { return session_; }

  // Where the dataset gives an answer and no length, the answer's is the one to ask for. To be called once,
  // before finish(). `tokenizer` may be null; error: it cannot encode a text.
  Result<RowSize> fit_lengths(RunTokenizer* tokenizer);

  // Makes the prompt as long as `fit` wants it, and asks for its answer. Error: it cannot be.
  Result<void> fit_row(PromptFit& fit);

  std::shared_ptr<Sample> finish(uint64_t index, const SampleRules& rules);

  // Of the answers, those stay that a later turn sends.
  static void link(Sample& first, std::vector<std::shared_ptr<Sample>> later);

 private:
  static SampleBuilder& of(void* self) { return *static_cast<SampleBuilder*>(self); }
  void add_part(const tkm_part& part);
  bool begins_prompt() const;
  size_t prompt_bytes() const;
  Result<int64_t> count_prompt(RunTokenizer& tokenizer) const;
  void text_to_message();
  std::string* first_text();
  std::string* last_text();
  Result<int64_t> count_texts_but(const std::string& one, const PromptFit& fit) const;
  void build_views();

  std::shared_ptr<Sample> sample_;
  bool answered_ = false;
  tkm_turn turn_{};
  std::string session_;
  tkm_sample_out sink_{};
};

}  // namespace tokometer
