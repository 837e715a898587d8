#include "sim/fault.hpp"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

using enum FaultKind;
constexpr auto kKinds = std::to_array<std::pair<std::string_view, FaultKind>>({
    {"none", none},
    {"status", status},
    {"html", html},
    {"gzip", gzip},
    {"not_streamed", not_streamed},
    {"empty", empty},
    {"done_only", done_only},
    {"role_only", role_only},
    {"error", error},
    {"abort", abort},
    {"stall", stall},
    {"rst", rst},
    {"fin", fin},
    {"cut_json", cut_json},
    {"no_done", no_done},
    {"double_done", double_done},
    {"no_last_chunk", no_last_chunk},
    {"wrong_model", wrong_model},
    {"usage_off", usage_off},
    {"usage_missing", usage_missing},
    {"usage_zero", usage_zero},
    {"no_finish", no_finish},
    {"short_output", short_output},
    {"comments_only", comments_only},
    {"close", close},
    {"goaway", goaway},
    {"grpc_status", grpc_status},
    {"no_trailers", no_trailers},
    {"compressed", compressed},
    {"huge_message", huge_message},
    {"cut_message", cut_message},
});
constexpr auto kForms = std::to_array<std::string_view>(
    {"vllm", "sglang", "tgi", "tgi_chat", "llama_cpp", "triton", "event", "responses"});
constexpr auto kBodies = std::to_array<std::string_view>(
    {"nested", "flat", "tgi", "fastapi", "fastapi_list", "triton", "bare", "html", "text", "empty"});
constexpr auto kPlaces = std::to_array<std::string_view>({"head", "first", "token"});
constexpr auto kKeys = std::to_array<std::string_view>({"fault",
                                                        "after",
                                                        "at",
                                                        "code",
                                                        "form",
                                                        "body",
                                                        "retry_after",
                                                        "for",
                                                        "by",
                                                        "done",
                                                        "announced",
                                                        "ttft",
                                                        "itl",
                                                        "comments",
                                                        "tokens_per_event",
                                                        "eos_after",
                                                        "reasoning_tokens",
                                                        "crlf",
                                                        "usage",
                                                        "first_event",
                                                        "reasoning_field",
                                                        "split",
                                                        "head",
                                                        "stamp"});

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Names>
Error unknown(std::string_view what, std::string_view word, const Names& known) {
  const std::vector<std::string> names(known.begin(), known.end());
  std::string message = "unknown " + std::string(what) + " \"" + escape_terminal(word) + "\"";
  if (const auto near = nearest_name(word, names)) message += ", did you mean " + *near + "?";
  return {message};
}

std::vector<std::string_view> kind_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, kind] : kKinds) names.push_back(name);
  return names;
}

template <class Number>
Result<void> number(Number& out, std::string_view key, std::string_view text) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failure == std::errc{} && end == text.data() + text.size()) return {};
  return Error{std::string(key) + ": must be a whole number (got \"" + escape_terminal(text) + "\")"};
}

template <class Names>
Result<void> word(std::string& out, std::string_view key, std::string_view text, const Names& names) {
  for (const std::string_view name : names) {
    if (name == text) return out = std::string(text), Result<void>{};
  }
  return unknown(key, text, names);
}

Result<void> set_kind(Fault& fault, std::string_view text) {
  for (const auto& [name, kind] : kKinds) {
    if (name == text) return fault.kind = kind, Result<void>{};
  }
  return unknown("fault", text, kind_names());
}

Result<void> set_place(Fault& fault, std::string_view text) {
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (kPlaces[i] == text) return fault.at = static_cast<Fault::At>(i), Result<void>{};
  }
  return unknown("place (at)", text, kPlaces);
}

Result<void> set_code(Fault& fault, std::string_view text) {
  if (auto done = number(fault.code, "code", text); !done) return done;
  if (fault.kind == grpc_status && fault.code >= 0 && fault.code <= 99) return {};
  if (fault.kind != grpc_status && fault.code >= 100 && fault.code <= 999) return {};
  return Error{std::string("code: must be from ") + (fault.kind == grpc_status ? "0 to 99" : "100 to 999") +
               " (got " + std::string(text) + ")"};
}

Result<void> set_time(Fault& fault, std::string_view text) {
  const auto ns = parse_duration_ns(text);
  if (!ns) return Error{"for: must be a duration with a unit, as 2s (got \"" + escape_terminal(text) + "\")"};
  fault.for_ns = *ns;
  return {};
}

Result<void> set(Fault& fault, Shape& shape, std::string_view key, std::string_view value) {
  if (key == "fault") return set_kind(fault, value);
  if (key == "after") return number(fault.after, key, value);
  if (key == "by") return number(fault.by, key, value);
  if (key == "at") return set_place(fault, value);
  if (key == "code") return set_code(fault, value);
  if (key == "form") return word(fault.form, key, value, kForms);
  if (key == "body") return word(fault.body, key, value, kBodies);
  if (key == "for") return set_time(fault, value);
  if (key == "retry_after") return fault.retry_after = std::string(value), Result<void>{};
  if (key == "done") return fault.done = value != "0" && value != "false", Result<void>{};
  if (key == "announced") return fault.announced = value != "0" && value != "false", Result<void>{};
  const auto known = set_shape(shape, key, value);
  if (!known) return known.errors();
  return *known ? Result<void>{} : unknown("key", key, kKeys);
}

}  // namespace

Result<Fault> parse_fault(std::string_view text, Shape& shape) {
  Fault fault;
  for (bool first = true; !text.empty(); first = false) {
    const size_t end = text.find(';');
    const std::string_view item = trim(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    const bool bare = equals == item.npos;
    if (bare && !first) return Error{"\"" + escape_terminal(item) + "\" needs a value: KEY=VALUE"};
    const auto done = bare ? set(fault, shape, "fault", item)
                           : set(fault, shape, trim(item.substr(0, equals)), trim(item.substr(equals + 1)));
    if (!done) return done.errors();
  }
  return fault;
}

std::string_view fault_name(FaultKind kind) {
  return kKinds[static_cast<size_t>(kind)].first;
}

}  // namespace tokometer::sim
