#include <doctest/doctest.h>
#include <unistd.h>
#include <tokometer/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tokenizer.hpp"

namespace {

using tokenizer_test::Tokenizer;

const std::string kFixtures = TOKOMETER_SOURCE_DIR "/plugins/tokenizer-hf/fixtures/";

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<int32_t> ids_in(const tkm::Json& list) {
  std::vector<int32_t> ids;
  for (const tkm::Json& id : list.GetArray()) ids.push_back(id.GetInt());
  return ids;
}

// A file of the test's own, removed at its end.
class File {
 public:
  explicit File(std::string_view content) {
    std::string name = (std::filesystem::temp_directory_path() / "tokometer-test-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    REQUIRE(descriptor >= 0);
    path_ = name;
    ::close(descriptor);
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~File() { std::filesystem::remove(path_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A file with this model, and other sections as they are given.
std::string with_model(const std::string& model, const std::string& more = "") {
  return R"({"model": {"type": "BPE", )" + model + "}" + more + "}";
}
const std::string kLetters = R"("vocab": {"a": 0, "b": 1, "ab": 2, " ": 3, "abab": 4, "?": 5}, )";
const std::string kMerges = R"("merges": ["a b", ["ab", "ab"]])";

std::string with_section(const std::string& section) {
  return with_model(kLetters + kMerges, ", " + section);
}

std::vector<int32_t> encode(const std::string& file, const std::string& text,
                            int32_t mode = TKM_ENCODE_TEXT) {
  const File written(file);
  Tokenizer tokenizer(written.path());
  REQUIRE(tokenizer.error() == "");
  auto ids = tokenizer.encode(text, mode);
  CHECK(tokenizer.error() == "");
  return ids;
}

using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("tokenizer-hf: every family's ids are those of Hugging Face's library") {
  tkm::JsonDocument families;
  REQUIRE(tkm::parse_json(read(kFixtures + "ids.json"), families));
  REQUIRE(families.MemberCount() == 9);
  for (const auto& family : std::as_const(families).GetObject()) {
    const std::string name(tkm::text_of(family.name));
    CAPTURE(name);
    Tokenizer tokenizer(kFixtures + name + ".json");
    REQUIRE(tokenizer.status() == TKM_OK);
    CHECK(tokenizer.vocab_size() >= 420);
    for (const tkm::Json& each : family.value.GetArray()) {
      const std::string text(tkm::get_string(each, "text"));
      CAPTURE(text);
      CHECK(tokenizer.encode(text) == ids_in(*tkm::find(each, "ids")));
      CHECK(tokenizer.encode(text, TKM_ENCODE_PROMPT) == ids_in(*tkm::find(each, "prompt")));
    }
  }
}

TEST_CASE("tokenizer-hf: merges, unknown letters, bytes") {
  CHECK(encode(with_model(kLetters + kMerges), "abab ab b") == Ids{4, 3, 2, 3, 1});
  // The lowest rank first, whatever comes first in the text; of equal ones the leftmost.
  CHECK(encode(with_model(R"("vocab": {"a": 0, "b": 1, "c": 2, "bc": 3, "ab": 4}, "merges": ["b c", "a b"])"),
               "abc") == Ids{0, 3});
  CHECK(encode(with_model(R"("vocab": {"a": 0, "aa": 1}, "merges": ["a a"])"), "aaaaa") == Ids{1, 1, 0});
  CHECK(encode(with_model(kLetters + kMerges), "axb") == Ids{2});  // nothing stands for the unknown
  CHECK(encode(with_model(kLetters + kMerges + R"(, "unk_token": "?")"), "axyb") == Ids{0, 5, 5, 1});
  CHECK(encode(with_model(kLetters + kMerges + R"(, "unk_token": "?", "fuse_unk": true)"), "axyb") ==
        Ids{0, 5, 1});
  CHECK(encode(with_model(R"("vocab": {"a": 0, "<0xC3>": 1, "<0xA9>": 2, "?": 3}, "merges": [],)"
                          R"("byte_fallback": true, "unk_token": "?")"),
               "a\u00e9\u00fc") == Ids{0, 1, 2, 3});
  CHECK(
      encode(with_model(
                 R"("vocab": {"a": 0, "b": 1, "ab": 2, "bab": 3}, "merges": ["a b"], "ignore_merges": true)"),
             "bab") == Ids{3});
}

TEST_CASE("tokenizer-hf: a member that is null or missing is as good as none") {
  CHECK(
      encode(R"({"version": "1.0", "truncation": null, "padding": {"strategy": "Fixed"}, "added_tokens": null,
                   "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
                   "model": {"vocab": {"a": 7}, "merges": [], "dropout": null, "unk_token": null, "end_of_word_suffix": ""}})",
             "aa") == Ids{7, 7});
}

TEST_CASE("tokenizer-hf: behaviors of a split") {
  struct Case {
    const char* behavior;
    bool invert;
    Ids ids;  // of "a  b": letters are 0 and 1, a blank 3, two blanks 6, with a 7 and 8, with b 9
  };
  const std::string model =
      R"("vocab": {"a": 0, "b": 1, " ": 3, "  ": 6, "a ": 7, "a  ": 8, " b": 9}, "ignore_merges": true, "merges": [])";
  const Case cases[] = {{"Removed", false, {0, 1}},           {"Isolated", false, {0, 3, 3, 1}},
                        {"Contiguous", false, {0, 6, 1}},     {"MergedWithPrevious", false, {7, 3, 1}},
                        {"MergedWithNext", false, {0, 3, 9}}, {"Removed", true, {3, 3}}};
  for (const Case& each : cases) {
    CAPTURE(std::string(each.behavior));
    const std::string split =
        std::string(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": ")") +
        each.behavior + R"(", "invert": )" + (each.invert ? "true" : "false") + "}";
    CHECK(encode(with_model(model, split), "a  b") == each.ids);
  }
}

TEST_CASE("tokenizer-hf: added tokens") {
  const std::string tokens = R"("added_tokens": [
      {"id": 10, "content": "<x>", "special": true}, {"id": 11, "content": "<x><y>", "special": true},
      {"id": 12, "content": "ab", "single_word": true, "normalized": false},
      {"id": 13, "content": "<l>", "lstrip": true, "normalized": false}, {"id": 14, "content": "<r>", "rstrip": true, "normalized": false},
      {"id": 15, "content": "", "special": true}])";
  // "ab" is in the vocabulary, with another id.
  const File bad(with_section(tokens));
  CHECK(Tokenizer(bad.path()).error() ==
        bad.path() + ": added_tokens[2]: the id of \"ab\" is 12 here and 2 in model.vocab");
  const std::string good = with_model(R"("vocab": {"a": 0, "b": 1, " ": 3}, "merges": [])", ", " + tokens);
  CHECK(encode(good, "<x><y><x>a") == Ids{11, 10, 0});
  CHECK(encode(good, "ab aab abb ab") == Ids{12, 3, 0, 0, 1, 3, 0, 1, 1, 3, 12});
  CHECK(encode(good, "a  <l> b <r>\u2003\nb") == Ids{0, 13, 3, 1, 3, 14, 1});
  const File file(good);
  CHECK(Tokenizer(file.path()).vocab_size() == 16);
}

TEST_CASE("tokenizer-hf: what stands around a prompt") {
  const std::string frame = R"("post_processor": {"type": "TemplateProcessing", "single":
      [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [20, 21], "tokens": []}, "</s>": {"id": "</s>", "ids": [22]}}})";
  CHECK(encode(with_section(frame), "a", TKM_ENCODE_PROMPT) == Ids{20, 21, 0, 22});
  CHECK(encode(with_section(frame), "", TKM_ENCODE_PROMPT) == Ids{20, 21, 22});
  CHECK(encode(with_section(frame), "a") == Ids{0});
}

TEST_CASE("tokenizer-hf: texts that cannot be encoded") {
  Tokenizer tokenizer(kFixtures + "llama3.json");
  CHECK(tokenizer.encode("caf\xe9").empty());
  CHECK(tokenizer.status() == TKM_E_INPUT);
  CHECK(tokenizer.error() == "the text is not UTF-8 at byte 3");
  tokenizer.encode("\xed\xa0\x80");  // half of a surrogate pair
  CHECK(tokenizer.error() == "the text is not UTF-8 at byte 0");
  tokenizer.encode("ok", 9);
  CHECK(tokenizer.status() == TKM_E_UNSUPPORTED);
  CHECK(tokenizer.error() == "the mode 9 is not known");
}

TEST_CASE("tokenizer-hf: bad files, and what it does not know, are refused by name") {
  struct Case {
    std::string file;
    tkm_status status;
    const char* sentence;  // behind "PATH: "
  };
  const auto split = [](const char* pattern) {
    return with_section(
        R"("pre_tokenizer": {"type": "Split", "behavior": "Isolated", "pattern": {"Regex": ")" +
        std::string(pattern) + "\"}}");
  };
  const Case cases[] = {
      {"", TKM_E_CONFIG, "byte 0: no JSON"},
      {"{\"model\": ", TKM_E_CONFIG, "byte 10: no JSON"},
      {"[]", TKM_E_CONFIG, "\"model\" is missing"},
      {"{}", TKM_E_CONFIG, "\"model\" is missing"},
      {R"({"model": 3})", TKM_E_CONFIG, "model: must be an object"},
      {R"({"model": {"type": "WordPiece", "vocab": {}, "merges": []}})", TKM_E_UNSUPPORTED,
       "model: the type \"WordPiece\" is not supported (known: BPE)"},
      {R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": []}})", TKM_E_UNSUPPORTED,
       "model: the type \"Unigram\" is not supported (known: BPE)"},
      {with_model(kLetters + kMerges + R"(, "colour": "red")"), TKM_E_UNSUPPORTED,
       "model: the member \"colour\" is not known"},
      {with_model(kMerges), TKM_E_CONFIG, "model: \"vocab\" is missing"},
      {with_model(R"("vocab": {}, "merges": [])"), TKM_E_CONFIG,
       "model.vocab: must be an object with tokens"},
      {with_model(R"("vocab": {"a": -1}, "merges": [])"), TKM_E_CONFIG,
       "model.vocab: the id of \"a\" must be a whole number from 0"},
      {with_model(R"("vocab": {"a": 2147483648}, "merges": [])"), TKM_E_CONFIG,
       "model.vocab: the id of \"a\" must be a whole number from 0"},
      {with_model(R"("vocab": {"a": 1})"), TKM_E_CONFIG, "model: \"merges\" is missing"},
      {with_model(kLetters + R"("merges": ["a b", "a b c"])"), TKM_E_CONFIG,
       "model.merges[1]: must be two tokens, as \"a b\" or [\"a\", \"b\"]"},
      {with_model(kLetters + R"("merges": [["b", "a"]])"), TKM_E_CONFIG,
       "model.merges[0]: \"ba\" is not in vocab"},
      {with_model(kLetters + kMerges + R"(, "dropout": 0.1)"), TKM_E_UNSUPPORTED,
       "model: dropout, which is random, is not supported"},
      {with_model(kLetters + kMerges + R"(, "end_of_word_suffix": "</w>")"), TKM_E_UNSUPPORTED,
       "model: end_of_word_suffix is not supported"},
      {with_model(kLetters + kMerges + R"(, "unk_token": "<unk>")"), TKM_E_CONFIG,
       "model: the unk_token \"<unk>\" is not in vocab"},
      {with_model(kLetters + kMerges + R"(, "byte_fallback": 1)"), TKM_E_CONFIG,
       "model.byte_fallback: must be true or false"},
      {with_section(
           R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Precompiled", "precompiled_charsmap": "AA"}]})"),
       TKM_E_UNSUPPORTED,
       "normalizer.normalizers[1]: the type \"Precompiled\" is not supported (known: Sequence, NFC, NFD, "
       "NFKC, NFKD, "
       "Prepend, Replace)"},
      {with_section(R"("normalizer": {"type": "Replace", "pattern": {"String": ""}, "content": "x"})"),
       TKM_E_CONFIG, "normalizer.pattern: the text is empty"},
      {with_section(
           R"("pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]})"),
       TKM_E_UNSUPPORTED,
       "pre_tokenizer.pretokenizers[0]: the type \"UnicodeScripts\" is not supported (known: Sequence, "
       "Split, ByteLevel, "
       "Metaspace, Digits)"},
      {with_section(R"("pre_tokenizer": {"type": "ByteLevel", "new_option": true})"), TKM_E_UNSUPPORTED,
       "pre_tokenizer: the member \"new_option\" is not known"},
      {with_section(
           R"("pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})"),
       TKM_E_UNSUPPORTED, "pre_tokenizer: the prepend_scheme \"last\" is not known"},
      {with_section(R"("pre_tokenizer": {"type": "Metaspace", "replacement": ""})"), TKM_E_CONFIG,
       "pre_tokenizer: the replacement is empty"},
      {with_section(R"("pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "Eaten"})"),
       TKM_E_UNSUPPORTED, "pre_tokenizer: the behavior \"Eaten\" is not known"},
      {split("a*"), TKM_E_UNSUPPORTED, "pre_tokenizer.pattern: the pattern \"a*\" can match nothing"},
      {split("(a"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"(a\" cannot be read: missing closing parenthesis"},
      {split(R"([\\p{L}&&[^a]])"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"[\\p{L}&&[^a]]\": && in a class is not supported"},
      {split("[a[b]]"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"[a[b]]\": a class inside a class is not supported"},
      {split(R"(\\p{N}{1,3}+)"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"\\p{N}{1,3}+\": an interval with a + behind it is not "
       "supported"},
      {split(R"(\\h)"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"\\h\": \\h is not supported"},
      {split("(?m:a)"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"(?m:a)\": (?m is not supported"},
      {split(R"(\\p{Klingon})"), TKM_E_UNSUPPORTED,
       "pre_tokenizer.pattern: the pattern \"\\p{Klingon}\" cannot be read: unknown property after \\P or "
       "\\p"},
      {with_section(R"("added_tokens": [{"content": "<s>"}])"), TKM_E_CONFIG,
       "added_tokens[0]: \"id\" is missing"},
      {with_section(R"("added_tokens": [{"id": 1.5, "content": "<s>"}])"), TKM_E_CONFIG,
       "added_tokens[0].id: must be a token id, a whole number from 0"},
      {with_section(R"("added_tokens": {})"), TKM_E_CONFIG, "added_tokens: must be a list"},
      {with_section(R"("post_processor": {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]})"),
       TKM_E_UNSUPPORTED,
       "post_processor: the type \"BertProcessing\" is not supported (known: Sequence, ByteLevel, "
       "TemplateProcessing)"},
      {with_section(
           R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {}}], "special_tokens": {}})"),
       TKM_E_CONFIG, "post_processor.special_tokens: \"<s>\" is missing"},
      {with_section(R"("surprise": 1)"), TKM_E_UNSUPPORTED, "the member \"surprise\" is not known"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.file);
    const File file(each.file);
    const Tokenizer tokenizer(file.path());
    CHECK(tokenizer.status() == each.status);
    CHECK(tokenizer.error() == file.path() + ": " + each.sentence);
  }
  CHECK(Tokenizer("/no/such/tokenizer.json").error() ==
        "/no/such/tokenizer.json: cannot be read: No such file or directory");
}
