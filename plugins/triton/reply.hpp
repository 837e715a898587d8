// One answer of generate_stream (server-sent events, no end mark: the end of the body is the end) or generate
// (one JSON object). Both hold the output tensors, an array of one written as its value.
//
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

#include "outputs.hpp"

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

  Shared& shared_;
  const std::string* model_;
  tkm::SseReader reader_;
  tkm::Complaints complaints_;
  Outputs outputs_;
  int32_t status_ = 0;
  bool is_stream_asked_, is_collected_ = false;
};

}  // namespace triton
