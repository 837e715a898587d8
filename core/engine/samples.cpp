#include "engine/samples.hpp"

#include <algorithm>

#include <tokometer/random.hpp>

#include "base/text.hpp"
#include "engine/sample_builder.hpp"

namespace tokometer {
namespace {

constexpr size_t kReadAhead = 1024;  // samples kept ready by the feeder
constexpr size_t kNameBytes = 80;    // of a session's name in a sentence

}  // namespace

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
    source->fit_.stop_asking();
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
    const bool plain = status == TKM_OK && !builder.in_session();
    if (plain && !filter_.passes(*size)) continue;
    if (auto fitted = plain ? builder.fit_row(fit_) : Result<void>(); !fitted) {
      sentence = record_name(index_ + 1) + ": " + fitted.error().message;
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
      if (!plain && !filter_.passes(*size)) continue;
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
      fitted_at_start_(source_->fit().report()),
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
