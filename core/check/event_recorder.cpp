#include "check/event_recorder.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace tokometer::check {
namespace {

constexpr std::array kChannels{"text", "reasoning", "tool", "refusal", "other"};
constexpr std::array kCounts{"none", "server", "ids", "event"};
constexpr std::array kFinishes{"", "stop", "length", "tool", "filter", "abort", "other"};
constexpr std::array kFaults{"", "in_band", "rejected", "request", "format", "semantics"};
constexpr std::array kMarks{"", "began", "keep_alive", "done"};

// Empty: the ABI has no such value.
template <size_t N>
std::string_view word(const std::array<const char*, N>& words, int32_t value) {
  return value >= 0 && static_cast<size_t>(value) < N ? words[static_cast<size_t>(value)] : "";
}

std::string_view view(tkm_str text) {
  return {text.data, text.size};
}

class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}
  ~Line() { out_ += '\n'; }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  Line& operator<<(std::string_view text) {
    if (!is_first_) out_ += ' ';
    is_first_ = false;
    out_ += text;
    return *this;
  }
  Line& operator<<(int64_t number) { return *this << std::string_view(std::to_string(number)); }

 private:
  std::string& out_;
  bool is_first_ = true;
};

}  // namespace

std::string number_text(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", value);
  return text.data();
}

EventRecorder::EventRecorder(uint32_t choices) : sink_{}, choices_(choices), finished_(choices) {
  sink_.struct_size = sizeof sink_;
  sink_.ctx = this;
  sink_.delta = [](void* ctx, const tkm_delta* it) { self(ctx).delta(it); };
  sink_.usage = [](void* ctx, const tkm_usage* it) { self(ctx).usage(it); };
  sink_.finish = [](void* ctx, uint32_t choice, int32_t reason, tkm_str raw) {
    self(ctx).finish(choice, reason, raw);
  };
  sink_.error = [](void* ctx, int32_t kind, int64_t code, tkm_str message) {
    self(ctx).error(kind, code, message);
  };
  sink_.mark = [](void* ctx, int32_t mark) { self(ctx).mark(mark); };
  sink_.metric = [](void* ctx, tkm_str name, double value) { self(ctx).metric(name, value); };
  sink_.carry = [](void* ctx, tkm_str bytes) {
    if (self(ctx).is_text(bytes, "carry")) Line(self(ctx).lines_) << "carry" << view(bytes);
  };
  sink_.warn = [](void* ctx, tkm_str id, tkm_str text) {
    if (self(ctx).is_text(id, "warn") && self(ctx).is_text(text, "warn"))
      Line(self(ctx).lines_) << "warn" << view(id);
  };
}

void EventRecorder::refuse(const std::string& sentence) {
  if (fault_.empty()) fault_ = sentence;
}

bool EventRecorder::is_text(tkm_str text, const char* what) {
  if (text.data != nullptr || text.size == 0) return true;
  refuse(std::string(what) + ": a text is a NULL pointer with a length");
  return false;
}

bool EventRecorder::is_choice(uint32_t choice, const char* what) {
  if (choice < choices_) return true;
  refuse(std::string(what) + " of choice " + std::to_string(choice) + ", but " + std::to_string(choices_) +
         " were asked for");
  return false;
}

void EventRecorder::delta(const tkm_delta* it) {
  if (it == nullptr || it->struct_size < sizeof(tkm_delta)) return refuse("delta: struct_size is not set");
  if (!is_choice(it->choice, "delta") || !is_text(it->text, "delta")) return;
  const auto count = word(kCounts, it->counted_by);
  if (word(kChannels, it->channel).empty() || count.empty())
    return refuse("delta: unknown channel or counted_by");
  if (it->tokens < -1) return refuse("delta: tokens is " + std::to_string(it->tokens));
  if ((it->counted_by == TKM_COUNT_NONE) != (it->tokens == -1)) {
    return refuse("delta: " + std::to_string(it->tokens) + " tokens counted by " + std::string(count));
  }
  Line(lines_) << "delta" << it->choice << word(kChannels, it->channel) << it->tokens << count
               << view(it->text);
}

void EventRecorder::usage(const tkm_usage* it) {
  if (it == nullptr || it->struct_size < sizeof(tkm_usage)) return refuse("usage: struct_size is not set");
  for (const int64_t tokens :
       {it->prompt_tokens, it->cached_tokens, it->output_tokens, it->reasoning_tokens}) {
    if (tokens < -1) return refuse("usage: a count is " + std::to_string(tokens));
  }
  Line(lines_) << "usage" << it->prompt_tokens << it->cached_tokens << it->output_tokens
               << it->reasoning_tokens;
}

void EventRecorder::finish(uint32_t choice, int32_t reason, tkm_str raw) {
  if (!is_choice(choice, "finish") || !is_text(raw, "finish")) return;
  if (finished_[choice]) return refuse("finish of choice " + std::to_string(choice) + " twice");
  finished_[choice] = true;
  if (word(kFinishes, reason).empty()) return refuse("finish: unknown reason " + std::to_string(reason));
  Line(lines_) << "finish" << choice << word(kFinishes, reason) << view(raw);
}

void EventRecorder::error(int32_t kind, int64_t code, tkm_str message) {
  if (!is_text(message, "error")) return;
  if (word(kFaults, kind).empty()) return refuse("error: unknown kind " + std::to_string(kind));
  ++errors_;
  Line(lines_) << "error" << word(kFaults, kind) << code << view(message);
}

void EventRecorder::mark(int32_t mark) {
  if (word(kMarks, mark).empty()) return refuse("mark: unknown mark " + std::to_string(mark));
  Line(lines_) << word(kMarks, mark);
}

void EventRecorder::metric(tkm_str name, double value) {
  if (!is_text(name, "metric")) return;
  if (!std::isfinite(value)) return refuse("metric " + std::string(view(name)) + " is no finite number");
  metrics_.emplace_back(view(name));
  Line(lines_) << "metric" << view(name) << number_text(value);
}

}  // namespace tokometer::check
