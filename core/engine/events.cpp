#include "engine/events.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace tokometer {
namespace {

std::string_view view(tkm_str text) {
  return {text.data, text.size};
}

constexpr int64_t kUnknown = -1;
constexpr double kShortShare = 0.9;  // less than this of an asked length is flagged
constexpr size_t kFinishReasonBytes = 64;

}  // namespace

tkm_events ResponseEvents::make_sink() {
  return {
      .struct_size = sizeof(tkm_events),
      .reserved = 0,
      .ctx = nullptr,
      .delta = [](void* self, const tkm_delta* delta) { of(self).delta(*delta); },
      .usage = [](void* self, const tkm_usage* usage) { of(self).usage(*usage); },
      .finish = [](void* self, uint32_t choice, int32_t reason,
                   tkm_str raw) { of(self).finish(choice, reason, view(raw)); },
      .error = [](void* self, int32_t kind, int64_t,
                  tkm_str message) { of(self).error(kind, view(message)); },
      .mark = [](void* self, int32_t mark) { of(self).mark(mark); },
      .metric = [](void* self, tkm_str name, double value) { of(self).metric(view(name), value); },
      .carry =
          [](void* self, tkm_str bytes) {
            if (of(self).carry_ != nullptr) of(self).carry_->assign(view(bytes));
          },
      .warn = [](void* self, tkm_str id, tkm_str) { of(self).record_->flags |= flag_from_name(view(id)); }};
}

void ResponseEvents::begin(const RunContext& context, RequestRecord& record, BlockPool& blocks) {
  context_ = &context;
  record_ = &record;
  blocks_ = &blocks;
  forget_session();
  crc_ = Crc32c();
  tokens_in_read_ = 0;
  counted_tokens_ = 0;
  every_event_counted_ = timed_ = true;
  output_seen_ = done_ = false;
  unfinished_ = context.request.choices;
  finished_.reset();
  last_finish_ = error_kind_ = 0;
  error_message_.reset();
  usage_ = {.struct_size = sizeof(tkm_usage),
            .reserved = 0,
            .prompt_tokens = kUnknown,
            .cached_tokens = kUnknown,
            .output_tokens = kUnknown,
            .reasoning_tokens = kUnknown};
}

void ResponseEvents::saw_event() noexcept {
  if (timed_ && record_->first_event_ns == kAbsent) record_->first_event_ns = at_ns_ - context_->start_ns;
}

void ResponseEvents::delta(const tkm_delta& delta) {
  saw_event();
  if (failed()) return;  // after an error only usage, metrics and warnings count
  if (delta.text.size == 0 && delta.tokens <= 0) return;
  if (delta.choice < finished_.size() && finished_[delta.choice]) record_->flags |= kFlagLateTokens;
  if (delta.choice == 0) crc_.update(view(delta.text));
  if (answer_ != nullptr && delta.choice == 0 && delta.channel == TKM_CHANNEL_TEXT)
    answer_->append(view(delta.text));
  output_seen_ = true;
  // One event of the server may come as several deltas (two channels, a whole tool call): only the first one
  // counts.
  const bool continues = delta.tokens == 0 && delta.counted_by == TKM_COUNT_NONE;
  if (continues) return note_answer(delta);
  if (delta.tokens >= 0 && delta.counted_by != TKM_COUNT_NONE) {
    counted_tokens_ += delta.tokens;
  } else {
    every_event_counted_ = false;
  }
  if (timed_) token_event(delta);
}

void ResponseEvents::note_answer(const tkm_delta& delta) {
  if (!timed_ || record_->first_answer_ns != kAbsent || delta.channel != TKM_CHANNEL_TEXT) return;
  record_->first_answer_ns = at_ns_ - context_->start_ns;
}

void ResponseEvents::token_event(const tkm_delta& delta) {
  const int64_t at_ns = at_ns_ - context_->start_ns;
  const bool stated = delta.tokens > 0 && delta.counted_by != TKM_COUNT_NONE;
  const auto tokens = static_cast<uint32_t>(stated ? std::min<int64_t>(delta.tokens, UINT32_MAX) : 0);
  if (record_->first_token_ns == kAbsent) {
    record_->first_token_ns = at_ns;
    if (stated) record_->first_event_tokens = delta.tokens;
  }
  note_answer(delta);
  record_->last_token_ns = at_ns;
  ++record_->events;
  if (delta.tokens > 1) record_->flags |= kFlagMultiToken;
  const bool coalesced = ++tokens_in_read_ > 1;
  if (coalesced) record_->flags |= kFlagCoalesced;
  // Rounded before any difference is taken, so that the gaps of the record add up.
  const int64_t at_us = (at_ns - record_->first_token_ns + 500) / 1000;
  record_->timeline.add(*blocks_, at_us, tokens, {.coalesced = coalesced, .choice = delta.choice});
}

void ResponseEvents::usage(const tkm_usage& usage) {
  saw_event();
  if (failed() && usage.output_tokens < usage_.output_tokens) return;  // zeros behind an error
  usage_ = usage;
}

void ResponseEvents::finish(uint32_t choice, int32_t reason, std::string_view raw) {
  saw_event();
  if (failed()) return;
  if (choice < context_->request.choices && !finished_[choice]) {
    finished_.set(choice);
    --unfinished_;
  }
  last_finish_ = reason;
  record_->finish_reason = escape_terminal(raw, kFinishReasonBytes);
  if (reason == TKM_FINISH_ABORT)
    error(TKM_FAIL_IN_BAND, "the server ended the request: " + record_->finish_reason);
}

void ResponseEvents::error(int32_t kind, std::string_view message) {
  saw_event();
  if (failed()) return;
  error_kind_ = kind;
  error_message_ = std::make_unique<std::string>(message);
}

void ResponseEvents::mark(int32_t mark) {
  if (mark == TKM_MARK_KEEPALIVE) return;
  saw_event();
  if (mark == TKM_MARK_DONE) done_ = true;
}

void ResponseEvents::metric(std::string_view name, double value) {
  const auto& declared = context_->request_metrics;
  if (!std::isfinite(value) || std::find(declared.begin(), declared.end(), name) == declared.end()) return;
  record_->server.emplace_back(std::string(name), value);
}

void ResponseEvents::conclude(int64_t asked_output_tokens, bool exact) {
  RequestRecord& record = *record_;
  const auto known = [](int64_t value) { return value >= 0 ? value : kAbsent; };
  if (usage_.prompt_tokens >= 0) {
    record.prompt_tokens = usage_.prompt_tokens;
    record.prompt_from_dataset = false;
  }
  record.cached_tokens = known(usage_.cached_tokens);
  record.reasoning_tokens = known(usage_.reasoning_tokens);
  if (output_seen_ && every_event_counted_) record.per_event_tokens = counted_tokens_;
  if (usage_.output_tokens >= 0) {
    record.output_tokens = usage_.output_tokens;
    record.token_source = TokenSource::usage;
    if (record.per_event_tokens != kAbsent && record.per_event_tokens != record.output_tokens) {
      record.flags |= kFlagUsageMismatch;
    }
  } else if (record.per_event_tokens != kAbsent) {
    record.output_tokens = record.per_event_tokens;
    record.token_source = TokenSource::per_event;
  } else if (record.events > 0) {
    record.output_tokens = record.events;
    record.token_source = TokenSource::events;
  }
  if (output_seen_) {
    record.has_text_crc = true;
    record.text_crc = crc_.value();
  }
  flag_length(asked_output_tokens, exact);
}

void ResponseEvents::flag_length(int64_t asked, bool exact) {
  RequestRecord& record = *record_;
  if (asked < 0 || record.token_source == TokenSource::none || record.token_source == TokenSource::events)
    return;
  const int64_t all_choices = asked * static_cast<int64_t>(context_->request.choices);
  if (record.output_tokens > all_choices) record.flags |= kFlagLongOutput;
  const bool cut = exact || last_finish_ == TKM_FINISH_LENGTH;
  if (cut && static_cast<double>(record.output_tokens) < kShortShare * static_cast<double>(all_choices)) {
    record.flags |= kFlagShortOutput;
  }
}

}  // namespace tokometer
