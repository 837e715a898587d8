// One answer of generate_stream (server-sent events, no end mark: the end of the body is the end) or generate
// (one JSON object). Both hold the output tensors, an array of one written as its value.
//
//   token   text, or a count of new tokens above 0; empty text alone is none
//   count   num_output_tokens, which is of this response alone
//   faults  {"error": ...} in any 2xx reply; the body of another status, JSON or (a model's error) one event
//
// What open() returns; refers to the Shared of its instance.
#pragma once

#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/sse.hpp>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace triton {

class GenerateReply {
 public:
  // Of all replies of an instance; one I/O thread uses it.
  struct Shared {
    tkm::JsonScratch json;
    std::set<std::string, std::less<>> models;  // that were asked for; stable
    std::string text_tensor = "text_output";
    bool is_cumulative = false;
  };

  GenerateReply(Shared& shared, std::string_view model, bool is_stream_asked);

  tkm_status head(const tkm_head& head, tkm::Events& events);
  void data(std::string_view bytes, tkm::Events& events);
  void end(const tkm_end& end, tkm::Events& events);

  // For SseReader.
  struct Sink;

 private:
  bool is_success() const { return status_ >= 200 && status_ < 300; }
  void rejected(std::string_view body, tkm::Events& events);
  void stray_line(std::string_view line, tkm::Events& events);
  void object(std::string_view text, tkm::Events& events);
  void outputs(const tkm::Json& root, tkm::Events& events);
  bool read_text(const tkm::Json& root, std::string_view& text, tkm::Events& events);
  bool take_new(std::string_view& text, tkm::Events& events);
  void count(int64_t prompt_tokens, int64_t tokens, tkm::Events& events);
  void finish(std::string_view word, tkm::Events& events);

  Shared& shared_;
  const std::string* model_;
  tkm::SseReader reader_;
  tkm::Complaints complaints_;
  std::string so_far_;  // of cumulative text
  int64_t output_tokens_ = -1;
  int32_t status_ = 0;
  bool is_stream_asked_, is_collected_ = false;
  bool has_tokens_ = false, has_reason_ = false, is_finished_ = false;
};

}  // namespace triton
