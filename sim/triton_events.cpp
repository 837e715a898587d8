#include <tokometer/json.hpp>

#include "sim/tokens.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {

TritonWriter::TritonWriter(const Generation& generation, ChunkBuffer& buffer)
    : EventWriter(generation, buffer,
                  {.has_roles = false, .has_usage_chunk = false, .has_done_mark = false}) {
  tkm::JsonWriter json(names_);
  json.member("model_name", model());
  json.member("model_version", "1");
}

// Members in the order of their names, as Triton writes them. `reason`: null: not finished.
void TritonWriter::open(std::string& out, const Usage& usage, uint64_t tokens, const char* reason) const {
  const Triton& asked = generation().triton;
  out += '{';
  if (asked.finish_reason)
    out.append(R"("finish_reason":")").append(reason == nullptr ? "None" : reason).append("\",");
  out.append(names_);
  if (asked.input_tokens) out.append(R"(,"num_input_tokens":)"), append_number(out, usage.prompt);
  if (asked.output_tokens) out.append(R"(,"num_output_tokens":)"), append_number(out, tokens);
  out.append(R"(,"text_output":")");
}

EventWriter::Event TritonWriter::role(uint32_t, const Usage&) {
  return {};
}

EventWriter::Event TritonWriter::token(const Token& token, const Usage& usage, std::string& text) {
  for (uint64_t i = 0; i < token.count; ++i) append_token(text, token.stream, token.choice, token.index + i);
  open(begin("data: "), usage, token.count, token.finish);
  if (generation().triton.cumulative) so_far_ += text;
  out().append(generation().triton.cumulative ? so_far_ : text).append("\"");
  return end(true, token.stream, token.seq);
}

EventWriter::Event TritonWriter::finish(uint32_t, const char* reason, const Usage& usage) {
  open(begin("data: "), usage, 0, reason);
  out().append(generation().triton.cumulative ? so_far_ : "").append("\"");
  return end();
}

std::string TritonWriter::whole_body(const Usage& usage, const char* finish, uint32_t stream) const {
  std::string out;
  open(out, usage, usage.completion, finish);
  for (uint64_t i = 0; i < generation().output_tokens; ++i) append_token(out, stream, 0, i);
  return out.append("\"}");
}

std::string_view TritonWriter::error_form(const Fault& fault) const {
  return fault.form == Fault().form ? std::string_view("triton") : fault.form;
}

}  // namespace tokometer::sim
