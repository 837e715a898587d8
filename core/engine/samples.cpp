#include "engine/samples.hpp"

#include <algorithm>

#include <tokometer/random.hpp>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kReadAhead = 1024;  // samples kept ready by the feeder
constexpr size_t kNameBytes = 80;    // of a session's name in a sentence

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

// The sink of one `next`: collects what the dataset says into a Sample.
class SampleBuilder {
 public:
  SampleBuilder() : sample_(std::make_shared<Sample>()) {
    sink_ = {
        .struct_size = sizeof(tkm_sample_out),
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

  const tkm_sample_out& sink() const { return sink_; }
  bool in_session() const { return sample_->in_session; }
  bool goes_on() const { return in_session() && turn_.last == 0; }
  uint32_t turn() const { return turn_.turn; }
  const std::string& session() const { return session_; }

  // Where the dataset gives an answer and no length, the answer's is the one to ask for. To be called once,
  // before finish(). `tokenizer` may be null; error: it cannot encode a text.
  Result<RowSize> fit_lengths(RunTokenizer* tokenizer) {
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

  std::shared_ptr<Sample> finish(uint64_t index, const SampleRules& rules) {
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

  // Of the answers, those stay that a later turn sends.
  static void link(Sample& first, std::vector<std::shared_ptr<Sample>> later) {
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

 private:
  static SampleBuilder& of(void* self) { return *static_cast<SampleBuilder*>(self); }

  void add_part(const tkm_part& part) {
    if (sample_->owned_.empty()) return;  // a part without a message belongs nowhere
    tkm_part kept = part;
    kept.type = {};  // media types come with the media parts that a later version sends
    sample_->owned_.back().parts.emplace_back(kept, copy(part.data));
  }

  // Nothing said before goes in front of it.
  bool begins_prompt() const { return turn_.turn == 0 || sample_->history == TKM_HISTORY_NONE; }

  size_t prompt_bytes() const {
    size_t bytes = sample_->text_.size() + 4 * sample_->tokens.size();
    for (const Sample::Message& message : sample_->owned_) {
      for (const auto& [part, text] : message.parts) bytes += part.kind == TKM_PART_TEXT ? text.size() : 0;
    }
    return bytes;
  }

  // What is sent as text; the chat template around it is the server's own.
  Result<int64_t> count_prompt(RunTokenizer& tokenizer) const {
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

  void text_to_message() {
    sample_->form = TKM_FORM_CHAT;
    sample_->owned_.push_back({"user", "", {}});
    add_part(tkm_part{TKM_PART_TEXT, 0, {}, sample_->text()});
    sample_->text_.clear();
  }

  // The text that the prompt begins with; null if it has none.
  std::string* first_text() {
    if (sample_->form == TKM_FORM_TEXT) return &sample_->text_;
    if (sample_->form != TKM_FORM_CHAT) return nullptr;
    for (auto& [part, bytes] : sample_->owned_.front().parts) {
      if (part.kind == TKM_PART_TEXT) return &bytes;
    }
    return nullptr;
  }

  void build_views() {
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

  std::shared_ptr<Sample> sample_;
  bool answered_ = false;
  tkm_turn turn_{};
  std::string session_;
  tkm_sample_out sink_{};
};

Result<std::unique_ptr<SampleSource>> SampleSource::open(Dataset dataset, SampleRules rules) {
  std::unique_ptr<SampleSource> source(new SampleSource(std::move(dataset), std::move(rules)));
  const bool endless = source->dataset_.size() == -1;
  if (endless && !source->rules_.rows.filter.name.empty()) {
    return Error{"dataset.rows.filter: needs data with an end"};
  }
  if (endless && source->rules_.rows.limit < 0) {
    if (source->rules_.rows.order == RunFile::Rows::Order::shuffle) {
      return Error{"dataset.rows.order: shuffle needs data with an end, or dataset.rows.limit"};
    }
    return source;
  }
  if (auto read = source->read_all(); !read) return read.errors();
  return source;
}

std::string SampleSource::record_name(uint64_t index) const {
  return (rules_.data_name.empty() ? "the dataset" : rules_.data_name) + ": record " +
         std::to_string(index + skipped_ + filter_.left_out());
}

// Times of a trace are followed as they stand: each record has one, and they never fall.
Result<void> SampleSource::check_arrival(const Sample& sample) {
  const std::string record = record_name(index_);
  if (!sample.arrival_ns) {
    return Error{record +
                 " has no arrival time, which this load takes from each record; name its field in the "
                 "dataset's options, or use a load with a rate of its own"};
  }
  if (last_arrival_ns_ && *sample.arrival_ns < *last_arrival_ns_) {
    return Error{record + " arrives " + format_duration(*last_arrival_ns_ - *sample.arrival_ns) +
                 " before the record in front of it; sort the data by time"};
  }
  last_arrival_ns_ = sample.arrival_ns;
  if (!first_arrival_ns_) first_arrival_ns_ = sample.arrival_ns;
  return {};
}

Result<void> SampleSource::read_all() {
  const auto limit = rules_.rows.limit < 0 ? SIZE_MAX : static_cast<size_t>(rules_.rows.limit);
  while (rows_.size() < limit) {
    auto sample = read_one();
    if (!sample) return sample.errors();
    if (*sample == nullptr) break;
    rows_.push_back(std::move(*sample));
  }
  if (rows_.empty()) {
    const std::string filtered = filter_.report();
    return Error{"the dataset has no usable record" + (filtered.empty() ? "" : ": " + filtered)};
  }
  stored_ = true;
  if (rules_.rows.order != RunFile::Rows::Order::shuffle) return {};
  tkm::Random random(rules_.seed, "rows");
  random.shuffle(rows_);
  return {};
}

Result<std::shared_ptr<const Sample>> SampleSource::read_one() {
  std::string sentence;
  for (;;) {
    SampleBuilder builder;
    tkm_status status = dataset_.next(builder.sink(), sentence);
    if (status == TKM_END) return std::shared_ptr<const Sample>();
    auto size = builder.fit_lengths(status == TKM_OK ? rules_.tokenizer.get() : nullptr);
    if (!size) {
      sentence = record_name(index_ + 1) + ": " + size.error().message;
      if (builder.in_session()) return Error{sentence};
      status = TKM_E_INPUT;
    }
    if (status == TKM_OK) {
      if (builder.in_session() && builder.turn() != 0) {
        return Error{"the dataset's session \"" + escape_terminal(builder.session(), kNameBytes) +
                     "\" begins with turn " + std::to_string(builder.turn())};
      }
      const bool goes_on = builder.goes_on();
      const std::string session = builder.session();
      const auto sample = builder.finish(index_, rules_);
      if (goes_on) {
        if (auto read = read_turns(*sample, session, *size); !read) return read.errors();
      }
      if (!filter_.passes(*size)) continue;
      ++index_;
      if (!rules_.needs_arrivals) return std::shared_ptr<const Sample>(sample);
      auto due = check_arrival(*sample);
      return due ? Result<std::shared_ptr<const Sample>>(sample) : due.errors();
    }
    if (status != TKM_E_INPUT || rules_.rows.on_bad != RunFile::Rows::OnBad::skip) return Error{sentence};
    ++skipped_;
  }
}

// The turns behind the first one, up to the last. All have the index of their row.
Result<void> SampleSource::read_turns(Sample& first, const std::string& session, RowSize& size) {
  std::vector<std::shared_ptr<Sample>> later;
  const std::string called = "the dataset's session \"" + escape_terminal(session, kNameBytes) + "\"";
  for (bool goes_on = true; goes_on;) {
    SampleBuilder builder;
    std::string sentence;
    const tkm_status status = dataset_.next(builder.sink(), sentence);
    if (status < 0) return Error{sentence};
    const size_t turn = later.size() + 1;
    if (status == TKM_END || !builder.in_session() || builder.session() != session || builder.turn() != turn)
      return Error{called + " has no turn " + std::to_string(turn) +
                   ", though no turn before it was the last"};
    const auto turn_size = builder.fit_lengths(rules_.tokenizer.get());
    if (!turn_size)
      return Error{called + ": turn " + std::to_string(turn) + ": " + turn_size.error().message};
    size.turns += turn_size->turns;
    goes_on = builder.goes_on();
    later.push_back(builder.finish(index_, rules_));
    if (later.back()->history != TKM_HISTORY_NONE && later.back()->form == TKM_FORM_TOKENS) {
      return Error{called + ": turn " + std::to_string(turn) +
                   " is a list of token ids, which no answer can be put in front of; give texts, or history: "
                   "none"};
    }
  }
  SampleBuilder::link(first, std::move(later));
  return {};
}

// A trace goes on at its own mean rate: the gap between two rounds is the mean gap of the data.
Result<void> SampleSource::begin_again() {
  if (!rules_.needs_arrivals) return position_ = 0, Result<void>();
  const int64_t span_ns = *last_arrival_ns_ - *first_arrival_ns_;
  if (span_ns == 0) {
    return Error{
        "all records of the data arrive at the same time, so they cannot be repeated; set "
        "dataset.rows.on_end: stop"};
  }
  arrival_shift_ns_ += span_ns + span_ns / static_cast<int64_t>(rows_.size() - 1);
  position_ = 0;
  return {};
}

Result<Row> SampleSource::next() {
  if (!stored_) {
    auto read = read_one();
    if (!read) return read.errors();
    const auto arrival_ns = *read == nullptr ? std::nullopt : (*read)->arrival_ns;
    return Row{std::move(*read), arrival_ns};
  }
  if (position_ == rows_.size()) {
    switch (rules_.rows.on_end) {
      case RunFile::Rows::OnEnd::stop:
        return Row{};
      case RunFile::Rows::OnEnd::error:
        return Error{std::to_string(rows_.size()) +
                     " records, more are needed: set dataset.rows.on_end: repeat"};
      case RunFile::Rows::OnEnd::repeat:
        if (auto begun = begin_again(); !begun) return begun.errors();
    }
  }
  const auto& sample = rows_[position_++];
  Row row{sample, sample->arrival_ns};
  if (row.arrival_ns) *row.arrival_ns += arrival_shift_ns_;
  return row;
}

Feeder::Feeder(std::unique_ptr<SampleSource> source)
    : source_(std::move(source)),
      skipped_at_start_(source_->skipped()),
      filtered_at_start_(source_->filter().report()),
      thread_([this] { feed(); }) {}

Feeder::~Feeder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Feeder::feed() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || ready_.size() < kReadAhead; });
      if (stop_) return;
    }
    auto row = source_->next();
    const std::lock_guard lock(mutex_);
    if (!row) fault_ = row.error().message;
    at_end_ = !row || row->sample == nullptr;
    if (!at_end_) ready_.push_back(std::move(*row));
    changed_.notify_all();
    if (at_end_) return;
  }
}

void Feeder::wait_until_full() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return at_end_ || ready_.size() >= kReadAhead; });
}

bool Feeder::is_ready() const {
  const std::lock_guard lock(mutex_);
  return at_end_ || !ready_.empty();
}

size_t Feeder::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_.size();
}

std::shared_ptr<const Sample> Feeder::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return at_end_ || !ready_.empty(); });
  if (ready_.empty()) return nullptr;
  auto sample = std::move(ready_.front().sample);
  ready_.pop_front();
  if (ready_.size() == kReadAhead / 2) changed_.notify_all();  // refill in bulk: not one wake-up a sample
  return sample;
}

std::optional<int64_t> Feeder::next_arrival_ns() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return at_end_ || !ready_.empty(); });
  return ready_.empty() ? std::nullopt : ready_.front().arrival_ns;
}

std::string Feeder::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

}  // namespace tokometer
