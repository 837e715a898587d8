#include "sim/events.hpp"

#include <ctime>
#include <tokometer/json.hpp>

#include "sim/error_forms.hpp"
#include "sim/event_forms.hpp"
#include "sim/events_vllm.hpp"
#include "sim/nim.hpp"
#include "sim/other_apis.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

void append_hex(std::string& out, uint64_t number, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out += "0123456789abcdef"[(number >> shift) & 15u];
}

}  // namespace

EventWriter::EventWriter(const Generation& generation, ChunkBuffer& buffer, WireRules rules)
    : generation_(generation),
      buffer_(buffer),
      rules_(rules),
      line_end_(generation.shape.crlf ? "\r\n\r\n" : "\n\n") {}

std::string& EventWriter::begin(std::string_view start) {
  buffer_.begin();
  return buffer_.text().append(start);
}

EventWriter::Event EventWriter::end(bool stamped, uint32_t stream, uint32_t seq) {
  std::string& out = buffer_.text();
  size_t stamp = 0;
  if (stamped && generation_.shape.stamp) {
    out.append(R"(,"tkm":")");
    stamp = out.size();
    out.append("0000000000000000");
    append_hex(out, stream, 8);
    append_hex(out, seq, 8);
    out += '"';
  }
  out += '}';
  out.append(line_end_);
  Event event{.bytes = buffer_.end()};
  if (stamp != 0) event.stamp = out.data() + stamp;
  return event;
}

std::string_view EventWriter::model() const {
  return generation_.fault.kind == FaultKind::wrong_model ? std::string_view("another-model")
                                                          : generation_.model;
}

EventWriter::Event EventWriter::failure(const Fault& fault) {
  return text(error_event(error_form(fault), fault.code, "simulated failure"));
}

EventWriter::Event EventWriter::text(std::string_view event_lines) {
  buffer_.begin();
  for (const char letter : event_lines) {
    if (letter == '\n' && generation_.shape.crlf) buffer_.text() += '\r';
    buffer_.text() += letter;
  }
  return {.bytes = buffer_.end()};
}

std::unique_ptr<EventWriter> make_event_writer(const Generation& generation, ChunkBuffer& buffer) {
  if (generation.other == OtherApi::responses) return make_responses_events(generation, buffer);
  if (generation.other != OtherApi::none) return make_pooling_events(generation, buffer);
  switch (generation.dialect) {
    case Dialect::sglang:
      return make_sglang_events(generation, buffer);
    case Dialect::tgi:
      return make_tgi_events(generation, buffer);
    case Dialect::triton:
      if (generation.grpc) return make_triton_grpc_events(generation, buffer);
      return std::make_unique<TritonWriter>(generation, buffer);
    case Dialect::nim_1:
      return std::make_unique<NimWriter>(generation, buffer);
    case Dialect::vllm:
      break;
  }
  return std::make_unique<VllmEvents>(generation, buffer);
}

std::string whole_text(const Generation& generation, uint32_t stream, uint32_t choice, bool reasoning) {
  std::string text;
  for (uint64_t i = 0; i < generation.output_tokens; ++i) {
    const bool thinks = generation.chat && i < generation.shape.reasoning_tokens;
    if (thinks == reasoning) append_token(text, stream, choice, i);
  }
  return text;
}

std::string quoted(std::string_view text) {
  std::string out;
  tkm::JsonWriter(out).value(text);
  return out;
}

}  // namespace tokometer::sim
