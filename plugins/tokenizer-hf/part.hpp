// A part of tokenizer.json and where it stands, for readers that take nothing for granted: what is missing or
// of another type is TKM_E_CONFIG, what this plugin does not know is TKM_E_UNSUPPORTED, both with the place
// ("pre_tokenizer.pretokenizers[1]: ..."). A view into the parsed file, which outlives it; one thread.
#pragma once

#include <tokometer/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tokenizer_hf {

class Part {
 public:
  Part(const tkm::Json& json, std::string path) : json_(&json), path_(std::move(path)) {}

  const tkm::Json& json() const { return *json_; }
  bool has(std::string_view key) const;  // there, and not null
  std::string_view type() const { return text("type"); }

  Part member(std::string_view key) const;
  std::vector<Part> items(std::string_view key) const;
  std::string_view text(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;
  int32_t id(std::string_view key) const;

  // Refuses members beside `type` that would change the ids in ways nobody here knows.
  void allow_only(std::initializer_list<std::string_view> keys) const;

  [[noreturn]] void malformed(const std::string& what) const;
  [[noreturn]] void unknown(const std::string& what) const;
  // unknown() with the types that are known.
  [[noreturn]] void unknown_type(std::string_view known) const;

 private:
  const tkm::Json* json_;
  std::string path_;  // empty: the whole file
};

// A token id; nothing: no such number.
std::optional<int32_t> id_of(const tkm::Json& json);

// In quotes and cut to a length for a sentence.
std::string in_quotes(std::string_view text);

}  // namespace tokenizer_hf
