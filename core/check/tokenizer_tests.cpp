// Texts to ids: the same for the same text, below the vocabulary's size, whatever the text; and files that
// are not there.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "check/bad_files.hpp"
#include "check/memory_in_use.hpp"
#include "check/sample_options.hpp"
#include "check/subject.hpp"
#include "plugin/handles.hpp"

namespace tokometer::check {
namespace {

constexpr size_t kLongBytes = 1'000'000;

Result<Tokenizer> make(const Subject& subject) {
  return Tokenizer::create(*subject.component, {.config_json = subject.options_json, .seed = 1});
}

Finding no_tokenizer(const Error& error) {
  return skip("see module.creates: " + error.message);
}

struct Encoded {
  std::vector<int32_t> ids;
  tkm_status status = TKM_OK;
  std::string sentence;
};

Encoded encode(Tokenizer& tokenizer, std::string_view text, int32_t mode = TKM_ENCODE_TEXT) {
  Encoded result;
  const tkm_ids_out out{sizeof(tkm_ids_out), 0, &result.ids, [](void* ctx, const int32_t* ids, size_t count) {
                          auto& all = *static_cast<std::vector<int32_t>*>(ctx);
                          all.insert(all.end(), ids, ids + count);
                        }};
  result.status = tokenizer.encode({text.data(), text.size()}, mode, out, result.sentence);
  return result;
}

// Valid UTF-8 of many kinds.
const std::vector<std::string>& texts() {
  using namespace std::string_literals;
  static const std::vector<std::string> all{
      "",
      " ",
      "hello",
      "Hello, world! It's 12345 o'clock.",
      "two  blanks\ttab\r\nline\n\n",
      "nul \0 inside"s,
      "na\u00efve \u0436\u043b\u0443\u0442\u044c \u6570\u636e \ud55c\uad6d \u0633\u0631\u0639\u0629",
      "\U0001f680\U0001f468\u200d\U0001f469 e\u0301",
      "<|endoftext|><s></s>[INST]",
      std::string(3000, 'a')};
  return all;
}

std::string number(size_t index) {
  return "text " + std::to_string(index + 1);
}

Finding encodes(const Subject& subject) {
  auto tokenizer = make(subject);
  if (!tokenizer) return no_tokenizer(tokenizer.error());
  const int64_t size = tokenizer->vocab_size();
  if (size == 0) return fail("its vocabulary has no size from 1 to 2147483648");
  for (size_t i = 0; i < texts().size(); ++i) {
    for (const int32_t mode : {TKM_ENCODE_TEXT, TKM_ENCODE_PROMPT}) {
      const Encoded result = encode(*tokenizer, texts()[i], mode);
      if (result.status != TKM_OK) return fail(number(i) + ": " + result.sentence);
      const auto beyond = std::find_if(result.ids.begin(), result.ids.end(),
                                       [&](int32_t id) { return id < 0 || id >= size; });
      if (beyond != result.ids.end())
        return fail(number(i) + ": the id " + std::to_string(*beyond) + " is not below vocab_size, " +
                    std::to_string(size));
    }
  }
  return pass("vocabulary of " + std::to_string(size));
}

Finding repeats_itself(const Subject& subject) {
  auto one = make(subject), other = make(subject);
  if (!one || !other) return no_tokenizer(one ? other.error() : one.error());
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < texts().size(); ++i) {
      // In another order: what was asked before must not matter.
      const size_t j = texts().size() - 1 - i;
      const auto ids = encode(*one, texts()[i]).ids, again = encode(*one, texts()[i]).ids;
      if (ids != again || encode(*other, texts()[j]).ids != encode(*one, texts()[j]).ids)
        return fail(number(ids != again ? i : j) + " has other ids when it is asked again");
    }
  }
  return pass();
}

Finding frames_prompts(const Subject& subject) {
  auto tokenizer = make(subject);
  if (!tokenizer) return no_tokenizer(tokenizer.error());
  if (!encode(*tokenizer, "").ids.empty()) return fail("an empty text has ids of its own");
  for (size_t i = 0; i < texts().size(); ++i) {
    const auto text = encode(*tokenizer, texts()[i]).ids;
    const auto prompt = encode(*tokenizer, texts()[i], TKM_ENCODE_PROMPT).ids;
    if (std::search(prompt.begin(), prompt.end(), text.begin(), text.end()) == prompt.end() && !text.empty())
      return fail(number(i) + ": its ids as a prompt do not have its own ids inside");
  }
  return pass();
}

Finding bears_any_text(const Subject& subject) {
  auto tokenizer = make(subject);
  if (!tokenizer) return no_tokenizer(tokenizer.error());
  std::string words;
  while (words.size() < kLongBytes) words += "word " + std::to_string(words.size()) + '\n';
  const std::array<std::string, 6> hard{"\xff\xfe",
                                        "caf\xe9",
                                        std::string("\xf0\x9f\x9a"),
                                        std::string(kLongBytes, 'a'),
                                        std::string(kLongBytes, ' '),
                                        words};
  for (const std::string& text : hard) {
    const Encoded result = encode(*tokenizer, text);
    if (result.sentence.starts_with("plugin bug:"))
      return fail(in_quotes(text.substr(0, 20)) + ": " + result.sentence);
    if (result.status == TKM_OK && result.ids.empty())
      return fail(in_quotes(text.substr(0, 20)) + "... has no ids");
  }
  return pass();
}

Finding knows_its_modes(const Subject& subject) {
  auto tokenizer = make(subject);
  if (!tokenizer) return no_tokenizer(tokenizer.error());
  const Encoded result = encode(*tokenizer, "hello", 77);
  if (result.status == TKM_OK) return fail("an unknown mode, 77, is taken");
  return result.sentence.starts_with("plugin bug:") ? fail(result.sentence) : pass();
}

Finding misses_files(const Subject& subject) {
  const auto names = option_names(*subject.component, "path");
  if (names.empty()) return skip("reads no file");
  for (const std::string& name : names) {
    const std::string path = "/no/such/folder/7919.file";
    const auto options = options_with_path(subject, name, path);
    if (!options) continue;
    const auto tokenizer = Tokenizer::create(*subject.component, {.config_json = *options});
    if (tokenizer)
      return fail("option " + in_quotes(name) + ": a file that does not exist is not missed in create()");
    const std::string& sentence = tokenizer.error().message;
    if (sentence.find(path) == std::string::npos)
      return fail("option " + in_quotes(name) + ": the sentence does not name the file: " + sentence);
  }
  return pass();
}

Finding bears_bad_files(const Subject& subject) {
  const auto names = option_names(*subject.component, "path");
  if (names.empty()) return skip("reads no file");
  const BadFiles files;
  for (const std::string& name : names) {
    for (const auto& path : files.paths()) {
      const auto options = options_with_path(subject, name, path.string());
      if (!options) continue;
      const auto tokenizer = Tokenizer::create(*subject.component, {.config_json = *options});
      if (!tokenizer && tokenizer.error().message.starts_with("plugin bug:"))
        return fail("option " + in_quotes(name) + ", a damaged file: " + tokenizer.error().message);
    }
  }
  return pass();
}

Finding leaks_nothing(const Subject& subject) {
  if (auto tokenizer = make(subject); !tokenizer) return no_tokenizer(tokenizer.error());
  const size_t lost = bytes_lost_per_round([&] {
    auto tokenizer = make(subject);
    for (const std::string& text : texts()) {
      if (tokenizer) encode(*tokenizer, text);
    }
  });
  return lost == 0 ? pass()
                   : fail(std::to_string(lost) + " bytes are left behind when it is used and destroyed");
}

constexpr std::array kTests{
    Test{"tokenizer.ids", "it encodes texts of many kinds, and every id is below vocab_size", encodes},
    Test{"tokenizer.repeatable", "the same text has the same ids, in every instance", repeats_itself},
    Test{"tokenizer.prompt", "a prompt is the text's own ids with others around it", frames_prompts},
    Test{"tokenizer.any-text", "long texts and bytes that are no UTF-8 give ids or a sentence",
         bears_any_text},
    Test{"tokenizer.modes", "a mode that it does not know is refused with a sentence", knows_its_modes},
    Test{"tokenizer.missing-file", "create() misses a file that is not there, and names it", misses_files},
    Test{"tokenizer.bad-files", "empty and damaged files give a sentence", bears_bad_files},
    Test{"tokenizer.no-leak", "used and destroyed, it leaves no memory behind", leaks_nothing}};

}  // namespace

std::span<const Test> tokenizer_tests() {
  return kTests;
}

}  // namespace tokometer::check
