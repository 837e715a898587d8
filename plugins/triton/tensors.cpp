#include "tensors.hpp"

#include <tokometer/plugin.hpp>

#include <algorithm>

namespace triton {
namespace {

using tkm::Json;

std::vector<Tensor> read_tensors(const Json& root, std::string_view key) {
  std::vector<Tensor> all;
  const Json* list = tkm::find(root, key);
  if (list == nullptr || !list->IsArray()) return all;
  for (const Json& tensor : list->GetArray()) {
    const std::string_view name = tkm::get_string(tensor, "name");
    const Json* shape = tkm::find(tensor, "shape");
    if (name.empty()) continue;
    all.push_back({std::string(name), std::string(tkm::get_string(tensor, "datatype"))});
    if (shape != nullptr && shape->IsArray()) all.back().dimensions = shape->Size();
  }
  return all;
}

const Tensor* find_tensor(const std::vector<Tensor>& all, std::string_view name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Tensor& tensor) { return tensor.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string list_of(const std::vector<Tensor>& all) {
  std::string text;
  for (const Tensor& tensor : all) text += (text.empty() ? "" : ", ") + tensor.name + " " + tensor.datatype;
  return text.empty() ? "none" : text;
}

// "text", "whole number", "number", "boolean": what a datatype holds.
std::string_view kind_of(std::string_view datatype) {
  if (datatype == "BYTES") return "text";
  if (datatype == "BOOL") return "boolean";
  return datatype.starts_with("FP") || datatype == "BF16" ? "number" : "whole number";
}

bool holds(std::string_view kind, const Json& value) {
  if (value.IsArray()) {
    return std::all_of(value.Begin(), value.End(), [&](const Json& item) { return holds(kind, item); });
  }
  if (kind == "text") return value.IsString();
  if (kind == "boolean") return value.IsBool();
  return kind == "number" ? value.IsNumber() : value.IsInt64() || value.IsUint64();
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

}  // namespace

Tensors::Tensors(std::string_view metadata, const TensorNames& given) : is_known_(true) {
  tkm::JsonDocument root;
  if (!tkm::parse_json(metadata, root) || !root.IsObject() || tkm::find(root, "inputs") == nullptr) {
    throw tkm::config_error("the metadata of the model is no JSON object with \"inputs\": " +
                            std::string(metadata.substr(0, 100)));
  }
  model_ = tkm::get_string(root, "name");
  inputs_ = read_tensors(root, "inputs");
  outputs_ = read_tensors(root, "outputs");
  if (has_input("sampling_parameters")) family_ = Family::vllm;
  if (has_input("sampling_param_max_tokens")) family_ = Family::llm_api;
  take(names_.prompt, given.prompt, "prompt", {"text_input"}, "text");
  take(names_.max_tokens, given.max_tokens, "max_tokens", {"max_tokens", "sampling_param_max_tokens"},
       "whole number");
  take(names_.min_tokens, given.min_tokens, "min_tokens", {"min_tokens", "min_length"}, "whole number");
  take(names_.stream, given.stream, "stream", {"stream", "streaming"}, "boolean");
  if (names_.prompt.empty()) {
    throw tkm::config_error("the model " + quoted(model_) + " has no input \"text_input\"; it has: " +
                            list_of_inputs() + ". Name the one for the prompt with tensors.prompt");
  }
  take_output(given.text);
}

const Tensor* Tensors::input(std::string_view name) const {
  return find_tensor(inputs_, name);
}

bool Tensors::has_output(std::string_view name) const {
  return find_tensor(outputs_, name) != nullptr;
}

std::string Tensors::list_of_inputs() const {
  return list_of(inputs_);
}

std::string Tensors::first_input(std::initializer_list<std::string_view> candidates) const {
  const auto* const found = std::find_if(candidates.begin(), candidates.end(),
                                         [&](std::string_view name) { return has_input(name); });
  return found == candidates.end() ? std::string() : std::string(*found);
}

void Tensors::take(std::string& name, const std::string& given, std::string_view key,
                   std::initializer_list<std::string_view> candidates, std::string_view kind) {
  name = given.empty() ? first_input(candidates) : given;
  if (name.empty()) return;
  const Tensor* tensor = input(name);
  if (tensor == nullptr) {
    throw tkm::config_error("tensors." + std::string(key) + ": the model " + quoted(model_) +
                            " has no input " + quoted(name) + "; it has: " + list_of_inputs());
  }
  if (kind_of(tensor->datatype) == kind) return;
  throw tkm::config_error((given.empty() ? "the model " : "tensors." + std::string(key) + ": the model ") +
                          quoted(model_) + " has the input " + quoted(name) + " as " + tensor->datatype +
                          ", which holds no " + std::string(kind));
}

void Tensors::take_output(const std::string& given) {
  names_.text = given.empty() ? "text_output" : given;
  const Tensor* tensor = find_tensor(outputs_, names_.text);
  if (tensor != nullptr && tensor->datatype == "BYTES") return;
  const std::string problem = tensor == nullptr ? " has no output " + quoted(names_.text)
                                                : " has the output " + quoted(names_.text) + " as " +
                                                      tensor->datatype + ", which holds no text";
  throw tkm::config_error((given.empty() ? "the model " : "tensors.text: the model ") + quoted(model_) +
                          problem + "; it has: " + list_of(outputs_) +
                          (given.empty() ? ". Name the one for the answer with tensors.text" : ""));
}

void Tensors::check_input(std::string_view name, const Json& value, std::string_view where) const {
  const Tensor* tensor = input(name);
  if (tensor == nullptr) {
    throw tkm::unsupported(std::string(where) + " sets " + quoted(name) + ", but the model " +
                           quoted(model_) +
                           " has no such input and Triton would ignore it; it has: " + list_of_inputs());
  }
  if (holds(kind_of(tensor->datatype), value)) return;
  std::string shown;
  tkm::JsonWriter(shown).value(value);
  throw tkm::input_error(std::string(where) + " sets " + quoted(name) + ", which is " + tensor->datatype +
                         " in the model " + quoted(model_) + ", to " + shown.substr(0, 60) +
                         ", which is no " + std::string(kind_of(tensor->datatype)));
}

}  // namespace triton
