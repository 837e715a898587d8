// Files that are gzip or zstd: read as the text in them, and what is said of damaged ones.
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <vector>

#include "host.hpp"

namespace {

using host::Dataset;
using host::Folder;
using host::reading;
using host::Sample;

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(std::string_view text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

// Enough lines, of many different words, to fill several blocks of the reader even when packed.
std::string lines(int count) {
  std::string text;
  uint64_t state = 1;
  for (int line = 0; line < count; ++line) {
    for (int word = 0; word < 9; ++word) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += std::to_string(state >> 33u) + " ";
    }
    text += "\n";
  }
  return text;
}

struct Form {
  const char* name;
  std::string (*pack)(std::string_view);
};
const Form kForms[] = {{"gzip", gzip}, {"zstd", zstd}};

std::vector<std::string> texts(const std::string& path) {
  Dataset dataset("text", reading(path));
  REQUIRE(dataset.error() == "");
  std::vector<std::string> all;
  for (const Sample& sample : dataset.all()) {
    CHECK(sample.error == "");
    all.push_back(sample.text);
  }
  return all;
}

TEST_CASE("a compressed file reads as the text in it, whatever its name") {
  const Folder folder;
  const std::string text = lines(5000);
  const auto expected = texts(folder.write("plain.txt", text));
  REQUIRE(expected.size() == 5000);
  for (const Form& form : kForms) {
    CAPTURE(form.name);
    CHECK(texts(folder.write("p.txt", form.pack(text))) == expected);
    CHECK(texts(folder.write("mark", form.pack("\xEF\xBB\xBF" + text))) == expected);
    // Parts packed one by one and put together are one text.
    const std::string parts = form.pack(std::string_view(text).substr(0, 100'001)) + form.pack("") +
                              form.pack(std::string_view(text).substr(100'001));
    CHECK(texts(folder.write("parts", parts)) == expected);
  }
}

TEST_CASE("records of a compressed array are named by their place in the text") {
  const Folder folder;
  const std::string text = R"([{"conversations":[{"from":"human","value":"q"}]},)"
                           "\n{}]";
  for (const Form& form : kForms) {
    const std::string path = folder.write("s.json.packed", form.pack(text));
    Dataset dataset("sharegpt", reading(path));
    const auto samples = dataset.all();
    REQUIRE(samples.size() == 2);
    CHECK(samples[0].text == "q");
    CHECK(samples[1].error == path + R"(: record 2: "conversations" is missing; found: nothing)");
  }
}

TEST_CASE("a compressed file that is cut or damaged ends the reading, with a clear sentence") {
  const Folder folder;
  const std::string text = lines(5000);
  for (const Form& form : kForms) {
    CAPTURE(form.name);
    const std::string packed = form.pack(text);
    REQUIRE(packed.size() > 200'000);
    const auto last_words = [&](const std::string& bytes) {
      Dataset dataset("text", reading(folder.write("p.txt", bytes)));
      REQUIRE(dataset.error() == "");
      Sample sample = dataset.next();
      while (sample.status == TKM_OK) sample = dataset.next();
      CHECK(sample.status == TKM_E_INTERNAL);
      CHECK(dataset.next().status == TKM_E_INTERNAL);
      return sample.error;
    };
    CHECK(last_words(packed.substr(0, 150'000)) ==
          folder.path("p.txt") + ": ends inside its " + form.name + " data (byte 150,000 of the file)");
    CHECK(last_words(packed.substr(0, packed.size() - 1))
              .starts_with(folder.path("p.txt") + ": ends inside its " + form.name + " data (byte "));
    const std::string damaged = folder.path("p.txt") + ": damaged " + form.name + " data (before byte ";
    std::string changed = packed;
    changed[changed.size() - 3] = static_cast<char>(changed[changed.size() - 3] ^ 1);  // in the checksum
    CHECK(last_words(changed).starts_with(damaged));
    CHECK(last_words(packed + "and more").starts_with(damaged));
  }
}

TEST_CASE("a compressed file that holds nothing or is broken at once is refused before the run") {
  const Folder folder;
  for (const Form& form : kForms) {
    struct Case {
      std::string bytes, sentence;
    };
    const Case cases[] = {
        {form.pack(""), "empty (only blanks, 0 bytes)"},
        {form.pack(" \n"), "empty (only blanks, 2 bytes)"},
        {form.pack("hello").substr(0, 7),
         std::string("ends inside its ") + form.name + " data (byte 7 of the file)"},
        {form.pack("hello").substr(0, 4) + "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
         std::string("damaged ") + form.name + " data"},
    };
    for (const Case& it : cases) {
      CAPTURE(it.sentence);
      const std::string path = folder.write("p.txt", it.bytes);
      Dataset dataset("text", reading(path));
      CHECK(dataset.status() == TKM_E_CONFIG);
      CHECK(dataset.error().substr(0, path.size() + 2 + it.sentence.size()) == path + ": " + it.sentence);
    }
  }
}

}  // namespace
