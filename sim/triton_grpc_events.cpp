// The responses of ModelStreamInfer and ModelInfer: framed protobuf messages, in the place of events.
#include "sim/protobuf.hpp"
#include "sim/tokens.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

std::string text_tensor(std::string_view text) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(text.size() >> shift);
  return out.append(text);
}

std::string number_tensor(uint64_t number) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift);
  return out;
}

class TritonGrpcWriter final : public EventWriter {
 public:
  TritonGrpcWriter(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer,
                    {.has_roles = false,
                     .has_usage_chunk = false,
                     .has_done_mark = false,
                     .ends_apart = generation.triton.final_apart}) {}

  Event role(uint32_t, const Usage&) override { return {}; }
  Event token(const Token& token, const Usage& usage, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    if (generation().triton.cumulative) so_far_ += text;
    const bool is_last = token.index + token.count == generation().output_tokens;
    const char* reason = token.finish;
    if (rules().ends_apart && is_last) reason = generation().ends_by_itself ? "stop" : "length";
    const bool is_final = token.finish != nullptr && !rules().ends_apart;
    return event(
        response(generation().triton.cumulative ? so_far_ : text, usage, token.count, reason, is_final));
  }
  Event finish(uint32_t, const char* reason, const Usage& usage) override {
    if (!rules().ends_apart) return event(response("", usage, 0, reason, true));
    if (!generation().grpc->wants_empty_final) return {};
    std::string out;
    begin_response(out, true);
    return event(out);
  }
  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    std::string text;
    for (uint64_t i = 0; i < generation().output_tokens; ++i) append_token(text, stream, 0, i);
    return grpc_message(wrapped(response(text, usage, usage.completion, finish, true)));
  }
  Event usage(const Usage&) override { return {}; }
  Event failure(const Fault&) override {
    std::string inner, out;
    begin_response(inner, true);
    put_text(out, 1, "simulated failure");
    put_text(out, 2, inner);
    begin(grpc_message(out));
    return end_as_is();
  }
  std::string last_chunk() const override { return grpc_trailers(0); }

 private:
  Event event(const std::string& response) {
    begin(grpc_message(wrapped(response)));
    return end_as_is();
  }
  std::string wrapped(const std::string& response) const {
    std::string out;
    if (generation().grpc->is_unary) return response;
    put_text(out, 2, response);
    return out;
  }
  void begin_response(std::string& out, bool is_final) const {
    put_text(out, 1, model());
    put_text(out, 3, generation().grpc->id);
    std::string value, parameter;
    put_number(value, 1, is_final ? 1 : 0);
    put_text(parameter, 1, "triton_final_response");
    put_text(parameter, 2, value);
    put_text(out, 4, parameter);
  }
  std::string response(std::string_view text, const Usage& usage, uint64_t tokens, const char* reason,
                       bool is_final) const {
    std::string out, raw;
    begin_response(out, is_final);
    put_text(out, 2, "1");
    const auto tensor = [&](const char* name, const char* datatype, std::string_view bytes) {
      std::string one, shape;
      put_text(one, 1, name);
      put_text(one, 2, datatype);
      put_varint(shape, 1);
      put_text(one, 3, shape);
      put_text(out, 5, one);
      put_text(raw, 6, bytes);
    };
    const Triton& asked = generation().triton;
    if (asked.finish_reason)
      tensor("finish_reason", "BYTES", text_tensor(reason == nullptr ? "None" : reason));
    if (asked.input_tokens) tensor("num_input_tokens", "INT32", number_tensor(usage.prompt));
    if (asked.output_tokens) tensor("num_output_tokens", "INT32", number_tensor(tokens));
    tensor("text_output", "BYTES", text_tensor(text));
    return out.append(raw);
  }

  std::string so_far_;  // of a cumulative text
};

}  // namespace

std::unique_ptr<EventWriter> make_triton_grpc_events(const Generation& generation, ChunkBuffer& buffer) {
  return std::make_unique<TritonGrpcWriter>(generation, buffer);
}

}  // namespace tokometer::sim
