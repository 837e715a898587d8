#include "request.hpp"

#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace triton {
namespace {

using tkm::Json;
using Family = Tensors::Family;

// Set to true wherever the model has them: the answer without the prompt, and what a response may tell
// beside.
constexpr std::array kSwitches{"exclude_input_in_output", "sampling_param_exclude_input_from_output",
                               "return_num_input_tokens", "return_num_output_tokens", "return_finish_reason"};
// Inputs that some releases demand; "" means none.
constexpr std::array kEmptyTexts{"bad_words", "stop_words"};

std::string_view text_of_part(const tkm_part& part) {
  if (part.kind != TKM_PART_TEXT)
    throw tkm::unsupported("this processor sends text, no images, audio or video");
  return tkm::view(part.data);
}

std::string_view text_of(const tkm_prompt& prompt) {
  if (prompt.form == TKM_FORM_TEXT) return tkm::view(prompt.text);
  if (prompt.form != TKM_FORM_CHAT) throw tkm::unsupported("Triton takes text, no token ids");
  if (prompt.message_count != 1 || prompt.messages[0].part_count != 1) {
    throw tkm::unsupported("Triton takes one text, but this sample is a conversation of " +
                           std::to_string(prompt.message_count) + " messages: use api: chat");
  }
  return text_of_part(prompt.messages[0].parts[0]);
}

void check_task(const tkm_prompt& prompt) {
  if (prompt.task != TKM_TASK_GENERATE) throw tkm::unsupported("this processor generates text, nothing else");
  if (prompt.choices > 1) throw tkm::unsupported("several choices: Triton gives one answer");
  if (prompt.adapter.size > 0) throw tkm::unsupported("an adapter: Triton has no field for one");
  if (prompt.cache_salt.size > 0) throw tkm::unsupported("a cache salt: Triton has none");
}

tkm::JsonDocument object_of(std::string_view source, const char* what) {
  tkm::JsonDocument root;
  if (tkm::parse_json(source, root) && root.IsObject()) return root;
  throw tkm::input_error(std::string(what) + " is no JSON object: " + std::string(source.substr(0, 100)));
}

}  // namespace

bool GenerateRequest::has_exact_output(const Tensors& tensors) {
  return !tensors.is_known() || tensors.family() == Family::vllm ||
         (tensors.family() == Family::trt_llm && !tensors.names().min_tokens.empty() &&
          !tensors.names().max_tokens.empty());
}

bool GenerateRequest::has(const Tensors& tensors, std::string_view capability) {
  if (capability == "output.exact") return has_exact_output(tensors);
  return capability != "count.server" || !tensors.is_known() || tensors.has_output("num_output_tokens");
}

bool GenerateRequest::Members::has(std::string_view name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const std::string& GenerateRequest::build(const tkm_prompt& prompt) {
  check_task(prompt);
  read_sampling(tkm::view(prompt.sampling));
  read_extra(tkm::view(prompt.extra));
  body_.clear();
  tkm::JsonWriter json(body_);
  json.begin_object().member(tensors_.names().prompt, text_of(prompt));
  if (!tensors_.names().stream.empty())
    json.member(tensors_.names().stream, prompt.reply == TKM_REPLY_STREAM);
  if (tensors_.family() == Family::vllm) {
    write_sampling_text(prompt, json);
  } else {
    write_length(prompt, json);
    json.raw_members(sampling_.text);
  }
  write_switches(json);
  json.raw_members(extra_.text).end_object();
  return body_;
}

void GenerateRequest::write_length(const tkm_prompt& prompt, tkm::JsonWriter& json) const {
  const TensorNames& names = tensors_.names();
  const bool is_exact = prompt.output_mode == TKM_OUTPUT_EXACT;
  if (prompt.output_tokens < 0) {
    if (tensors_.family() == Family::llm_api && !is_exact) return;
    throw tkm::unsupported("Triton's models need a length: set request.output_tokens");
  }
  if (names.max_tokens.empty()) {
    throw tkm::unsupported(
        "a length: the model has no input \"max_tokens\"; name it with tensors.max_tokens. "
        "It has: " +
        tensors_.list_of_inputs());
  }
  json.member(names.max_tokens, prompt.output_tokens);
  if (!is_exact) return;
  if (!has_exact_output(tensors_))
    throw tkm::unsupported("an exact output length: the model has neither min_tokens nor min_length");
  json.member(names.min_tokens, prompt.output_tokens);
}

// The vLLM backend: the parameters are JSON inside a text.
void GenerateRequest::write_sampling_text(const tkm_prompt& prompt, tkm::JsonWriter& json) {
  const bool is_exact = prompt.output_mode == TKM_OUTPUT_EXACT;
  if (prompt.output_tokens < 0)
    throw tkm::unsupported("the vLLM backend stops at 16 tokens without a length: set request.output_tokens");
  inner_.clear();
  tkm::JsonWriter inner(inner_);
  inner.begin_object().member("max_tokens", prompt.output_tokens);
  if (is_exact) inner.member("min_tokens", prompt.output_tokens).member("ignore_eos", true);
  inner.raw_members(sampling_.text).end_object();
  json.member("sampling_parameters", inner_);
}

void GenerateRequest::write_switches(tkm::JsonWriter& json) const {
  for (const std::string_view name : kSwitches) {
    if (tensors_.has_input(name)) json.member(name, true);
  }
  for (const std::string_view name : kEmptyTexts) {
    if (tensors_.has_input(name) && !sampling_.has(name) && !extra_.has(name)) json.member(name, "");
  }
}

// The input for one of OpenAI's names.
std::string GenerateRequest::sampling_tensor(std::string_view name) const {
  if (tensors_.family() == Family::llm_api) return "sampling_param_" + std::string(name);
  if (name == "stop") return "stop_words";
  if (name == "seed" && !tensors_.has_input("seed")) return "random_seed";
  return std::string(name);
}

void GenerateRequest::read_sampling(std::string_view source) {
  if (source == sampling_.source) return;
  sampling_ = {};
  if (source.empty()) return;
  Members made{std::string(source), {}};
  const bool is_text = tensors_.family() == Family::vllm;
  tkm::JsonWriter json(made.text);
  json.begin_object();
  const tkm::JsonDocument root = object_of(source, "sampling");
  for (const auto& member : root.GetObject()) {
    const std::string_view name = tkm::text_of(member.name);
    const std::string tensor = is_text ? std::string(name) : sampling_tensor(name);
    constexpr std::array<std::string_view, 4> kOwn{"max_tokens", "min_tokens", "ignore_eos", "n"};
    if (std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end() || (!is_text && is_own(tensor))) {
      throw tkm::input_error("sampling sets \"" + std::string(name) +
                             "\", which the processor sets itself: use the request's own keys");
    }
    if (!is_text && tensors_.is_known()) tensors_.check_input(tensor, member.value, "sampling");
    json.key(tensor).value(static_cast<const Json&>(member.value));
    if (!is_text) made.names.push_back(tensor);
  }
  json.end_object();
  sampling_ = std::move(made);
}

void GenerateRequest::read_extra(std::string_view source) {
  if (source == extra_.source) return;
  extra_ = {};
  if (source.empty()) return;
  Members made{std::string(source), std::string(source)};
  const tkm::JsonDocument root = object_of(source, "extra");
  for (const auto& member : root.GetObject()) {
    const std::string_view name = tkm::text_of(member.name);
    if (is_own(name) || name == "id" || sampling_.has(name)) {
      throw tkm::input_error(
          "extra sets \"" + std::string(name) +
          "\", which is set already: use the processor's option or the request's own keys");
    }
    // `parameters` is Triton's own: request parameters, for which there is no list.
    if (name != "parameters" && tensors_.is_known()) tensors_.check_input(name, member.value, "extra");
    made.names.emplace_back(name);
  }
  extra_ = std::move(made);
}

bool GenerateRequest::is_own(std::string_view name) const {
  const TensorNames& names = tensors_.names();
  const bool is_switch = std::find(kSwitches.begin(), kSwitches.end(), name) != kSwitches.end();
  return name == names.prompt || name == names.max_tokens || name == names.min_tokens ||
         name == names.stream || is_switch ||
         (name == "sampling_parameters" && tensors_.family() == Family::vllm);
}

}  // namespace triton
