// From a dataset plugin to the requests of a run: what one `next` said becomes one immutable Sample; `rows`
// of the run file decides how many there are, in which order, and what happens at the end of the data or at a
// bad record.
//
// A finite dataset is read before the run starts; an endless one is read ahead by the feeder thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/prompt_fit.hpp"
#include "engine/row_filter.hpp"
#include "engine/run_tokenizer.hpp"
#include "plugin/handles.hpp"

#include <tokometer/abi.h>

namespace tokometer {

// One request's content: a row of the data, or one turn of a row that is a session. Immutable once made;
// shared by the requests that use it, since rows may repeat, and freed with the last of them.
class Sample {
 public:
  uint64_t index = 0;            // position in the dataset, from 0
  int32_t form = TKM_FORM_TEXT;  // which of messages, text, tokens holds the prompt
  int64_t prompt_tokens = -1;    // as the dataset declares, or the run's tokenizer counts; -1: not known
  int64_t output_tokens = -1;
  int32_t output_mode = TKM_OUTPUT_AT_MOST;
  std::optional<int64_t> arrival_ns;  // when it is due, from a zero of the dataset's own; for traces
  std::vector<int32_t> tokens;
  std::vector<std::pair<std::string, std::string>> headers;

  // Of a session:
  bool in_session = false;
  std::vector<std::shared_ptr<const Sample>> later;  // of the first turn: those behind it, in order
  int32_t history = TKM_HISTORY_NONE;                // what of earlier turns goes in front of this one
  int64_t think_time_ns = 0;                         // from the end of the turn before
  bool keeps_answer = false;  // a later turn sends what the server answered to this one

  tkm_str text() const { return view(text_); }
  const std::vector<tkm_message>& messages() const { return messages_; }
  tkm_str model() const { return view(model_); }
  tkm_str adapter() const { return view(adapter_); }
  tkm_str extra() const { return view(extra_); }
  tkm_str answer() const { return view(answer_); }  // the scripted one, where a later turn sends it

 private:
  friend class SampleBuilder;
  static tkm_str view(const std::string& text) { return {text.data(), text.size()}; }

  struct Message {
    std::string role, extra;
    std::vector<std::pair<tkm_part, std::string>> parts;  // the string holds the bytes of the part
  };
  std::string text_, model_, adapter_, extra_, answer_;
  std::vector<Message> owned_;  // not changed once there are views
  std::vector<tkm_part> parts_;
  std::vector<tkm_message> messages_;  // views into the two above
};

struct SampleRules {
  RunFile::Rows rows;
  uint64_t seed = 0;
  bool text_as_chat = false;    // the processor takes chat only: a text becomes one user message
  std::string nonce;            // put in front of the text: cold prompts on servers that know no cache salt
  int64_t output_tokens = -1;   // the run file's, in place of the rows' own; -1: none
  size_t word_limit = 0;        // cuts texts to this many words, for calibration; 0: whole
  bool needs_arrivals = false;  // a phase's load takes the times of its requests from the data
  std::string data_name;        // the dataset's file, for sentences; empty: it has none
  FitScale fit_scale;           // of rows.input_tokens
  TextCounter count_text;       // asked while a finite dataset is read, never later; empty: nobody
  std::shared_ptr<RunTokenizer> tokenizer;  // counts what the dataset does not state; null: nobody does
};

// A sample and when it is due: the arrival that its dataset gave, shifted so that times go on where data
// repeat.
struct Row {
  std::shared_ptr<const Sample> sample;  // null: there are no more
  std::optional<int64_t> arrival_ns;
};

// Reads samples in the order of the run. One thread at a time.
class SampleSource {
 public:
  // Reads a finite dataset at once. Errors: a bad record (unless rows.on_bad is skip), no record at all.
  static Result<std::unique_ptr<SampleSource>> open(Dataset dataset, SampleRules rules);

  Result<Row> next();

  uint64_t skipped() const noexcept { return skipped_; }  // bad records left out
  const RowFilter& filter() const noexcept { return filter_; }
  const PromptFit& fit() const noexcept { return fit_; }

 private:
  SampleSource(Dataset dataset, SampleRules rules)
      : dataset_(std::move(dataset)),
        rules_(std::move(rules)),
        filter_(rules_.rows.filter, rules_.output_tokens, rules_.tokenizer != nullptr),
        fit_(rules_.rows, rules_.seed, rules_.tokenizer.get(), rules_.fit_scale, rules_.count_text) {}
  Result<void> read_all();
  Result<std::shared_ptr<const Sample>> read_one();
  Result<void> read_turns(Sample& first, const std::string& session, RowSize& size);
  Result<void> check_arrival(const Sample& sample);
  Result<void> begin_again();
  std::string record_name(uint64_t index) const;  // counted from 1 among the good ones; for sentences

  Dataset dataset_;
  SampleRules rules_;
  RowFilter filter_;
  PromptFit fit_;
  std::vector<std::shared_ptr<const Sample>> rows_;  // finite or limited datasets
  bool stored_ = false;
  size_t position_ = 0;
  uint64_t index_ = 0;
  uint64_t skipped_ = 0;
  std::optional<int64_t> first_arrival_ns_, last_arrival_ns_;  // of the records read
  int64_t arrival_shift_ns_ = 0;                               // of all rounds before this one
};

// The feeder thread: keeps samples ready, so that a slow dataset never delays the schedule while its queue
// lasts.
class Feeder {
 public:
  explicit Feeder(std::unique_ptr<SampleSource> source);
  ~Feeder();  // ends the thread

  // Waits until the queue is full or the data has ended: the schedule does not begin with an empty queue.
  void wait_until_full();

  bool is_ready() const;  // take() would not wait
  size_t ready() const;   // how many times it would not

  // The next sample, waiting for it if need be; null when there are no more or a fault has come.
  std::shared_ptr<const Sample> take();

  // The arrival of what take() would give, waiting likewise; none: there are no more, or it has none.
  std::optional<int64_t> next_arrival_ns();

  uint64_t skipped_at_start() const noexcept {
    return skipped_at_start_;
  }  // bad records left out before the run

  // What rows.filter left out before the run, one sentence; empty: there is none.
  const std::string& filtered_at_start() const noexcept { return filtered_at_start_; }

  // What was done to the prompts for rows.input_tokens, one sentence; empty: nothing.
  const std::string& fitted_at_start() const noexcept { return fitted_at_start_; }

  // What ended the data early; empty if nothing did.
  std::string fault() const;

 private:
  void feed();

  std::unique_ptr<SampleSource> source_;
  const uint64_t skipped_at_start_;
  const std::string filtered_at_start_, fitted_at_start_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Row> ready_;
  std::string fault_;
  bool at_end_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tokometer
