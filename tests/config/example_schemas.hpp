// Option schemas as real plugins bring them, and the ways from text to a read run file that the tests of
// config share.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/expand.hpp"
#include "config/run_file.hpp"

namespace tokometer::testing {

inline Result<std::string> option_schema(std::string_view kind, std::string_view use) {
  static const std::map<std::string, std::string, std::less<>> kSchemas{
      {"processor/openai", R"({"type": "object", "properties": {
          "api": {"type": "string", "enum": ["chat", "completions"], "default": "chat"},
          "token": {"type": "string", "format": "secret", "writeOnly": true},
          "old": {"type": "boolean", "deprecated": true}}})"},
      {"dataset/synthetic", R"({"type": "object", "properties": {
          "input_tokens": {"type": ["integer", "object"], "minimum": 1, "maximum": 100000,
                           "properties": {"mean": {"type": "number", "exclusiveMinimum": 0}}},
          "form": {"type": "string", "enum": ["text", "token_ids"], "default": "text"},
          "range_ratio": {"type": "number", "minimum": 0, "maximum": 1, "default": 0}}})"},
      {"dataset/text", R"({"type": "object", "required": ["file"], "properties": {
          "file": {"type": "string", "format": "path", "minLength": 1},
          "block": {"type": "string", "format": "bytes", "default": "64KiB", "minimum": 1},
          "fields": {"type": "array", "items": {"type": "string"}, "minItems": 1}}})"},
      {"tokenizer/hf", R"({"type": "object", "required": ["file"], "properties": {
          "file": {"type": "string", "format": "path", "minLength": 1}}})"},
      {"load/poisson", R"({"type": "object", "required": ["rate"], "properties": {
          "rate": {"type": "number", "exclusiveMinimum": 0}}})"},
      {"load/synchronous", R"({"type": "object", "properties": {}})"},
      {"load/throughput", R"({"type": "object", "properties": {
          "users": {"type": "integer", "minimum": 1, "default": 512}}})"},
      {"load/concurrency", R"({"type": "object", "required": ["users"], "properties": {
          "users": {"type": "integer", "minimum": 1, "maximum": 1000000},
          "ramp_up": {"type": "string", "format": "duration", "default": "0s", "minimum": 0},
          "think_time": {"type": ["string", "object"], "format": "duration", "minimum": 0, "default": "0s",
                         "properties": {"mean": {"type": "string", "format": "duration"}}}}})"},
  };
  const auto found = kSchemas.find(std::string(kind) + "/" + std::string(use));
  if (found != kSchemas.end()) return found->second;
  return Error{"plugin \"" + std::string(use) + "\" not found"};
}

// The keys that every run file needs, for a text that leaves some out: written behind it.
inline std::string completed(std::string text) {
  const std::vector<std::pair<std::string, std::string>> needed{
      {"version", "1"},
      {"target", "{url: \"http://h\"}"},
      {"processor", "openai"},
      {"dataset", "synthetic"},
      {"load", "{use: poisson, options: {rate: 5}}"},
      {"phases", "[{duration: 7s}]"}};
  for (const auto& [key, value] : needed) {
    const auto has = [&text](const std::string& name) {
      return text.starts_with(name + ":") || text.find("\n" + name + ":") != std::string::npos;
    };
    const bool in_its_place = key == "phases" && has("sweep");
    if (!has(key) && !in_its_place) text += key + ": " + value + "\n";
  }
  return text;
}

struct Input {
  std::vector<Source> files;
  std::vector<SetOption> sets = {};
  std::map<std::string, std::string> environment = {};
};

inline Result<RunFile> read(const Input& input) {
  Sources sources{input.files, input.sets, [&](const std::string& name) -> std::optional<std::string> {
                    const auto found = input.environment.find(name);
                    if (found == input.environment.end()) return std::nullopt;
                    return found->second;
                  }};
  auto document = load_documents(sources);
  if (!document) return document.errors();
  return read_run_file(*document, option_schema);
}

inline Result<RunFile> read(const std::string& text) {
  return read(Input{{{"run.yaml", completed(text)}}});
}

// The messages as a user sees them, one a line; empty if there is no fault.
template <class T>
std::string messages(const Result<T>& result) {
  std::string text;
  if (result) return text;
  for (const Error& error : result.errors()) text += to_string(error) + "\n";
  return text;
}

}  // namespace tokometer::testing
