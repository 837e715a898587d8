// tokenizer-hf: counts and encodes texts by a model's own tokenizer.json, on this machine. No model hub, no
// download.
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "tokenizer.hpp"

namespace tokenizer_hf {
namespace {

constexpr std::streamoff kMostBytes = 256 * 1024 * 1024;

struct HfOptions {
  std::string file;

  static void options(tkm::OptionSet<HfOptions>& o) {
    o.add("file", &HfOptions::file)
        .path()
        .required()
        .not_empty()
        .help("The model's tokenizer.json, as Hugging Face's library writes it.")
        .example("\"tokenizer.json\"");
  }
};

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw tkm::config_error("cannot be read: " + std::string(std::strerror(errno)));
  const std::streamoff bytes = file.tellg();
  if (bytes > kMostBytes) throw tkm::config_error("is larger than 256 MiB");
  std::string text(static_cast<size_t>(std::max<std::streamoff>(bytes, 0)), '\0');
  file.seekg(0);
  if (!file.read(text.data(), bytes)) throw tkm::config_error("cannot be read");
  return text;
}

Tokenizer read_file(const std::string& path) {
  try {
    tkm::JsonDocument document;
    size_t fault = 0;
    if (!tkm::parse_json(read_whole(path), document, &fault))
      throw tkm::config_error("byte " + std::to_string(fault) + ": no JSON");
    return Tokenizer(Part(document, ""));
  } catch (const tkm::Error& error) {
    throw tkm::Error(error.status(), path + ": " + std::string(error.text()));
  }
}

class Hf {
 public:
  static constexpr auto kId = "hf", kSummary = "a model's own tokenizer.json: byte-pair encoding";
  static constexpr std::array<const char*, 0> kCapabilities{};
  using Options = HfOptions;

  explicit Hf(const Options& options) : tokenizer_(read_file(options.file)) {}

  int64_t vocab_size() const { return tokenizer_.vocab_size(); }
  void encode(std::string_view text, int32_t mode, tkm::IdsOut& out) {
    if (mode != TKM_ENCODE_TEXT && mode != TKM_ENCODE_PROMPT)
      throw tkm::unsupported("the mode " + std::to_string(mode) + " is not known");
    out.ids(tokenizer_.encode(text, mode == TKM_ENCODE_PROMPT));
  }

 private:
  Tokenizer tokenizer_;
};

}  // namespace
}  // namespace tokenizer_hf

TKM_MODULE("tokenizer-hf", "0.1.0", "Apache-2.0", tkm::tokenizer<tokenizer_hf::Hf>());
