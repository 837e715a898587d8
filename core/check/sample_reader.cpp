#include "check/sample_reader.hpp"

#include <utility>

#include "base/text.hpp"
#include "check/finding.hpp"

namespace tokometer::check {
namespace {

constexpr int kMostBadRecords = 1000;

class SampleSink {
 public:
  SampleSink();
  SampleSink(const SampleSink&) = delete;
  SampleSink& operator=(const SampleSink&) = delete;
  const tkm_sample_out& out() const { return out_; }
  Sample take();

 private:
  static SampleSink& self(void* ctx) { return *static_cast<SampleSink*>(ctx); }
  std::string_view said(const char* what, tkm_str text);
  void note(const char* what, int64_t number) {
    sample_.text += std::string(what) + " " + std::to_string(number) + "\n";
  }
  void refuse(const std::string& sentence) {
    if (sample_.fault.empty()) sample_.fault = sentence;
  }
  void form(char form);
  void turn(const tkm_turn* it);
  void part(const tkm_part* it);
  void tokens(const int32_t* ids, size_t count);
  void lengths(int64_t prompt_tokens, int64_t output_tokens, int32_t output_mode);

  tkm_sample_out out_{};
  Sample sample_;
  char form_ = 0;  // 'c' chat, 't' text, 'i' ids
  size_t parts_ = 0, messages_ = 0;
};

SampleSink::SampleSink() {
  out_.struct_size = sizeof out_;
  out_.ctx = this;
  out_.message = [](void* ctx, tkm_str role, tkm_str extra) {
    self(ctx).form('c');
    ++self(ctx).messages_;
    if (self(ctx).said("message", role).empty()) self(ctx).refuse("a message has no role");
    self(ctx).said("extra of message", extra);
  };
  out_.part = [](void* ctx, const tkm_part* it) { self(ctx).part(it); };
  out_.text = [](void* ctx, tkm_str text) { self(ctx).form('t'), self(ctx).said("text", text); };
  out_.tokens = [](void* ctx, const int32_t* ids, size_t count) { self(ctx).tokens(ids, count); };
  out_.lengths = [](void* ctx, int64_t prompt, int64_t output, int32_t mode) {
    self(ctx).lengths(prompt, output, mode);
  };
  out_.turn = [](void* ctx, const tkm_turn* it) { self(ctx).turn(it); };
  out_.answer = [](void* ctx, tkm_str text) { self(ctx).said("answer", text); };
  out_.route = [](void* ctx, tkm_str model, tkm_str adapter) {
    self(ctx).said("model", model), self(ctx).said("adapter", adapter);
  };
  out_.arrival = [](void* ctx, int64_t at_ns) {
    self(ctx).note("arrival", at_ns);
    self(ctx).sample_.arrival_ns = at_ns;
    if (at_ns < 0) self(ctx).refuse("arrival is " + std::to_string(at_ns));
  };
  out_.extra = [](void* ctx, tkm_str json) { self(ctx).said("extra", json); };
  out_.tag = [](void* ctx, tkm_str name, tkm_str value) {
    self(ctx).said("tag", name), self(ctx).said("value", value);
  };
  out_.header = [](void* ctx, tkm_str name, tkm_str value) {
    self(ctx).said("header", name), self(ctx).said("value", value);
  };
}

std::string_view SampleSink::said(const char* what, tkm_str text) {
  if (text.data == nullptr && text.size > 0)
    return refuse(std::string(what) + " is a NULL pointer with a length"), "";
  const std::string_view view(text.data, text.size);
  if (!is_valid_utf8(view)) refuse(std::string(what) + " is not UTF-8: " + in_quotes(view));
  sample_.text.append(what).append(" ").append(view).append("\n");
  return view;
}

// A sample is a chat, a text, or ids, and never two of them.
void SampleSink::form(char form) {
  if (form_ != 0 && (form_ != form || form != 'c')) refuse("more than one of: a chat, a text, token ids");
  form_ = form;
}

void SampleSink::part(const tkm_part* it) {
  if (it == nullptr) return refuse("a part is NULL");
  if (messages_ == 0) refuse("a part came before its message");
  if (it->kind < TKM_PART_TEXT || it->kind > TKM_PART_VIDEO)
    refuse("a part has the unknown kind " + std::to_string(it->kind));
  ++parts_;
  note("part", it->kind);
  said("type", it->type);
  if (it->kind == TKM_PART_TEXT) said("data", it->data);
  if (it->kind != TKM_PART_TEXT) sample_.text.append(it->data.data, it->data.size);
}

void SampleSink::tokens(const int32_t* ids, size_t count) {
  form('i');
  if (ids == nullptr && count > 0) return refuse("tokens is a NULL pointer with a length");
  for (size_t i = 0; i < count; ++i) {
    if (ids[i] < 0) refuse("a token id is " + std::to_string(ids[i]));
    note("token", ids[i]);
  }
}

void SampleSink::lengths(int64_t prompt_tokens, int64_t output_tokens, int32_t output_mode) {
  if (prompt_tokens < -1 || output_tokens < -1) refuse("a length is below -1");
  if (output_mode != TKM_OUTPUT_AT_MOST && output_mode != TKM_OUTPUT_EXACT)
    refuse("unknown output_mode " + std::to_string(output_mode));
  note("prompt tokens", prompt_tokens);
  note("output tokens", output_tokens);
  note("mode", output_mode);
}

void SampleSink::turn(const tkm_turn* it) {
  if (it == nullptr || it->struct_size < sizeof(tkm_turn)) return refuse("turn: struct_size is not set");
  if (it->history < TKM_HISTORY_NONE || it->history > TKM_HISTORY_SCRIPT)
    refuse("turn: unknown history " + std::to_string(it->history));
  if (it->think_time_ns < 0) refuse("turn: think_time_ns is " + std::to_string(it->think_time_ns));
  sample_.has_turn = true;
  sample_.is_last = it->last != 0;
  sample_.turn = it->turn;
  sample_.session = said("session", it->session);
  note("turn", it->turn);
  note("last", it->last);
  note("think time", it->think_time_ns);
}

Sample SampleSink::take() {
  if (form_ == 0) refuse("nothing was said: a sample is a chat, a text, or token ids");
  if (form_ == 'c' && parts_ == 0) refuse("a chat without any part");
  form_ = 0;
  parts_ = messages_ = 0;
  return std::exchange(sample_, {});
}

}  // namespace

Reading read_samples(Dataset& dataset, size_t most) {
  Reading reading;
  SampleSink sink;
  std::string err;
  while (reading.samples.size() < most) {
    const tkm_status status = dataset.next(sink.out(), err);
    Sample sample = sink.take();
    if (status == TKM_OK) {
      reading.samples.push_back(std::move(sample));
    } else if (status == TKM_END) {
      return reading.ended = true, reading;
    } else if (status != TKM_E_INPUT || err.starts_with("plugin bug:") ||
               ++reading.bad_records > kMostBadRecords) {
      return reading.failure = err, reading;
    }
  }
  return reading;
}

}  // namespace tokometer::check
