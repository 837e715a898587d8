#include <algorithm>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

using tkm::Json;

// Reads one request step by step; the first fault found stands.
class Reader {
 public:
  explicit Reader(const Options& options) : options_(options) {}

  std::variant<Generation, ErrorReply> read(const Request& request, bool wants_ids) {
    out_.dialect = Dialect::triton;
    out_.chat = false;
    out_.shape = options_.shape;
    out_.shape.head_at_once = false;  // the head comes with the first response
    out_.request_id = std::string(request.field("x-request-id"));
    out_.grpc = request.grpc;
    if (request.grpc) out_.shape.comments_ns = 0;
    (void)(control(request) && model(request.target) && json(request.body) && known_types() &&
           prompt(wants_ids) && (is_vllm() ? sampling_text() : lengths()) && switches(request.target));
    if (error_.status != 0) return error_;
    return out_;
  }

 private:
  bool fail(int status, std::string message) {
    error_ = {status, std::move(message), "", ""};
    return false;
  }
  bool is_vllm() const { return options_.triton_tensors == "vllm"; }
  bool is_llm_api() const { return options_.triton_tensors == "llm_api"; }

  bool control(const Request& request) {
    const std::string_view words = request.field("x-tkm-sim");
    if (words.empty()) return true;
    const auto fault = parse_fault(words, out_.shape);
    if (!fault) return fail(400, "X-Tkm-Sim: " + fault.error().message);
    out_.fault = *fault;
    return true;
  }

  bool model(std::string_view target) {
    const std::string_view after = target.substr(std::string_view("/v2/models/").size());
    out_.model = after.substr(0, after.find('/'));
    return out_.model == options_.model ||
           fail(404, "Request for unknown model: '" + escape_terminal(out_.model) + "' is not found");
  }

  bool json(const std::string& text) {
    if (text.empty())
      return fail(500, "failed to parse the request JSON buffer: The document is empty. at 0");
    if (!tkm::parse_json(text, body_) || !body_.IsObject())
      return fail(500, "failed to parse the request JSON buffer: Invalid value. at 0");
    return true;
  }

  // Keys that are no tensor may hold a scalar, which is ignored.
  bool known_types() {
    for (const auto& member : std::as_const(body_).GetObject()) {
      const std::string_view name = tkm::text_of(member.name);
      const bool is_scalar = !member.value.IsObject() && !member.value.IsArray() && !member.value.IsNull();
      if (is_scalar || name == "parameters" || name == "stop_words" || name == "bad_words") continue;
      return fail(400, "parameter '" + escape_terminal(name) +
                           "' has invalid type. It should be either 'int', 'bool', or 'string'.");
    }
    return true;
  }

  bool prompt(bool wants_ids) {
    const Json* text = tkm::find(body_, "text_input");
    if (text == nullptr) {
      return fail(400, "[request id: <id_unknown>] expected number of inputs between 2 and 14 but got " +
                           std::to_string(body_.MemberCount()) + " inputs for model '" + options_.model +
                           "'");
    }
    if (!text->IsString())
      return fail(500, "Unable to parse JSON bytes array: attempt to access JSON non-string as string");
    out_.prompt_tokens = count_tokens(tkm::text_of(*text));
    if (wants_ids) out_.prompt_ids = prompt_ids(tkm::text_of(*text));
    return true;
  }

  bool whole(const Json& from, const char* key, int64_t& value) {
    const Json* found = tkm::find(from, key);
    if (found == nullptr) return true;
    if (!found->IsInt64())
      return fail(500, "Unable to parse 'data': attempt to access JSON non-signed-integer as signed-integer");
    value = found->GetInt64();
    return true;
  }

  bool lengths() {
    int64_t most = static_cast<int64_t>(options_.output_tokens), least = 0;
    const bool read = is_llm_api() ? whole(body_, "sampling_param_max_tokens", most)
                                   : whole(body_, "max_tokens", most) && whole(body_, "min_tokens", least);
    return read && end_of_output(most, least, false);
  }

  // The vLLM backend's parameters: JSON inside a text.
  bool sampling_text() {
    int64_t most = 16, least = 0;
    const Json* text = tkm::find(body_, "sampling_parameters");
    tkm::JsonDocument inner;
    if (text == nullptr) return end_of_output(most, least, false);
    if (!tkm::parse_json(tkm::text_of(*text), inner) || !inner.IsObject())
      return fail(400, "Error parsing sampling_parameters: not a JSON object");
    return whole(inner, "max_tokens", most) && whole(inner, "min_tokens", least) &&
           end_of_output(most, least, tkm::get_bool(inner, "ignore_eos"));
  }

  bool end_of_output(int64_t most, int64_t least, bool ignore_eos) {
    const auto context = static_cast<int64_t>(options_.max_model_len);
    const auto prompt = static_cast<int64_t>(out_.prompt_tokens);
    if (most < 1) return fail(400, "max_tokens must not be negative");
    if (prompt >= context)
      return fail(400, "Prompt length (" + std::to_string(prompt) + ") exceeds maximum input length (" +
                           std::to_string(context) + ").");
    const auto limit = static_cast<uint64_t>(std::min(most, context - prompt));
    const uint64_t eos = std::max(out_.shape.eos_after, static_cast<uint64_t>(std::max<int64_t>(least, 0)));
    out_.ends_by_itself = out_.shape.eos_after != 0 && eos < limit && !ignore_eos;
    out_.output_tokens = out_.ends_by_itself ? eos : limit;
    shorten(out_);
    return true;
  }

  // What a model without the tensor ignores: the LLM-API model has none for counts.
  bool switches(std::string_view target) {
    const bool asked = tkm::get_bool(body_, is_llm_api() ? "streaming" : "stream");
    out_.stream =
        target.ends_with("/generate_stream") && asked && (!out_.grpc || !options_.triton_one_response);
    const bool is_one = target.ends_with("/generate");
    if (is_one && asked) {
      return fail(200,
                  "generate expects model to produce exactly 1 response, use generate stream for model that "
                  "generates various number of responses");
    }
    out_.triton = {
        .input_tokens = !is_llm_api() && tkm::get_bool(body_, "return_num_input_tokens"),
        .output_tokens = !is_llm_api() && tkm::get_bool(body_, "return_num_output_tokens"),
        .finish_reason = options_.triton_tensors != "trt_llm" && tkm::get_bool(body_, "return_finish_reason"),
        .final_apart = options_.triton_final_apart,
        .cumulative = is_llm_api()};
    return true;
  }

  const Options& options_;
  tkm::JsonDocument body_;
  Generation out_;
  ErrorReply error_{};
};

}  // namespace

bool is_triton(std::string_view target) {
  return target == "/v2" || target.starts_with("/v2/");
}

bool is_triton_generation(const Request& request) {
  return request.method == "POST" && request.target.starts_with("/v2/models/") &&
         (request.target.ends_with("/generate") || request.target.ends_with("/generate_stream"));
}

std::variant<Generation, ErrorReply> read_triton_generation(const Request& request, const Options& options,
                                                            bool wants_ids, uint32_t) {
  return Reader(options).read(request, wants_ids);
}

}  // namespace tokometer::sim
