// Rows 30 to 58 of the hostile-server table, as bytes: each response is fed whole, byte by byte, split at
// every point and in seeded random pieces, and must tell the same story each time.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/http1.hpp"

using namespace tokometer;

namespace {

// Writes down what the reader says. Body pieces are joined: where they are cut is no part of the story.
class Story final : public Http1Sink {
 public:
  bool on_head(const ResponseHead& head) override {
    text = std::to_string(head.status);
    if (!head.content_type.empty()) text += " " + std::string(head.content_type);
    if (head.content_length) text += " length=" + std::to_string(*head.content_length);
    for (const Field& field : head.fields)
      fields.emplace_back(std::string(field.name) + "=" + std::string(field.value));
    return true;
  }
  bool on_body(std::string_view piece) override {
    empty_piece = empty_piece || piece.empty();
    body += piece;
    return true;
  }

  std::string text;
  std::string body;
  std::vector<std::string> fields;
  bool empty_piece = false;
};

struct Told {
  Story story;
  std::string outcome;  // "ended[ keep][ surplus=n][ no_last_chunk]", "failed <class>" or "more"
  std::string message;
  bool operator==(const Told& other) const {
    return story.text == other.story.text && story.body == other.story.body &&
           story.fields == other.story.fields && story.empty_piece == other.story.empty_piece &&
           outcome == other.outcome;
  }
};

std::string ending(const Http1Reader& reader, size_t surplus) {
  std::string text = "ended";
  if (reader.keep_alive()) text += " keep";
  if (surplus > 0) text += " surplus=" + std::to_string(surplus);
  if (reader.no_last_chunk()) text += " no_last_chunk";
  return text;
}

// Feeds the pieces that end at the given cuts, then EOF if `closes`.
Told tell(std::string_view bytes, const std::vector<size_t>& cuts, bool closes,
          const HttpLimits& limits = {}) {
  Http1Reader reader(limits);
  Told told;
  auto progress = Http1Reader::Progress::more;
  size_t at = 0;
  size_t consumed = 0;
  for (size_t i = 0; i <= cuts.size() && progress == Http1Reader::Progress::more; ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    // a block of its own, so that a sanitizer sees a read past its end
    const std::vector<char> piece(bytes.begin() + static_cast<long>(at),
                                  bytes.begin() + static_cast<long>(end));
    progress = reader.feed({piece.data(), piece.size()}, told.story);
    consumed += reader.consumed();
    at = end;
  }
  if (progress == Http1Reader::Progress::more && closes && reader.got_bytes()) {
    progress = reader.feed_eof();
  }
  switch (progress) {
    case Http1Reader::Progress::ended:
      told.outcome = ending(reader, bytes.size() - consumed);
      break;
    case Http1Reader::Progress::failed:
      told.outcome = "failed " + reader.fault().cls;
      told.message = reader.fault().message;
      break;
    default:
      told.outcome = "more";
  }
  return told;
}

std::vector<size_t> every_byte(size_t size) {
  std::vector<size_t> cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

std::vector<size_t> random_cuts(size_t size, std::mt19937& random) {
  std::vector<size_t> cuts;
  for (size_t at = 1 + random() % 40; at < size; at += 1 + random() % 40) cuts.push_back(at);
  return cuts;
}

// The story told by the whole feed, after checking that all the other feeds tell the same.
Told tell_in_all_cuts(std::string_view bytes, bool closes, const HttpLimits& limits = {}) {
  const Told whole = tell(bytes, {}, closes, limits);
  CHECK_FALSE(whole.story.empty_piece);
  CHECK(tell(bytes, every_byte(bytes.size()), closes, limits) == whole);
  size_t different = 0;
  const size_t step = std::max<size_t>(1, bytes.size() / 500);  // of long cases, a sample
  for (size_t cut = 1; cut < bytes.size(); cut += step) {
    different += tell(bytes, {cut}, closes, limits) == whole ? 0 : 1;
  }
  CHECK_MESSAGE(different == 0, different << " cuts in two tell another story");
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) CHECK(tell(bytes, random_cuts(bytes.size(), random), closes, limits) == whole);
  return whole;
}

struct Case {
  const char* name;
  std::string bytes;
  std::string outcome;
  std::string text = {};
  std::string body = {};
};

void check(const std::vector<Case>& cases, bool closes) {
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Told told = tell_in_all_cuts(c.bytes, closes);
    CAPTURE(told.message);
    CHECK(told.outcome == c.outcome);
    if (told.outcome.starts_with("failed")) CHECK_FALSE(told.message.empty());
    if (!c.text.empty()) CHECK(told.story.text == c.text);
    CHECK(told.story.body == c.body);
  }
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";
const std::string kChunked = kOk + "Transfer-Encoding: chunked\r\n\r\n";

std::string with(const std::string& fields, const std::string& body = "") {
  return kOk + fields + "\r\n" + body;
}

std::string fields(size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += "X-" + std::to_string(i) + ": v\r\n";
  return text;
}

}  // namespace

TEST_CASE("plain responses") {
  check({{"length", with("Content-Type: a/b\r\nContent-Length: 5\r\n", "hello"), "ended keep",
          "200 a/b length=5", "hello"},
         {"no body", with("Content-Length: 0\r\n"), "ended keep", "200 length=0"},
         {"chunked", kChunked + "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", "ended keep", "200",
          "hello world"},
         {"trailers", kChunked + "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", "ended keep", "200", "x"},
         {"no chunk at all", kChunked + "0\r\n\r\n", "ended keep", "200"},
         {"Connection: close", with("Connection: close\r\nContent-Length: 1\r\n", "x"), "ended",
          "200 length=1", "x"},
         {"HTTP/1.0 closes", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "ended", "200 length=1", "x"},
         {"HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
          "ended keep", "200 length=1", "x"},
         {"empty reason", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", "ended keep", "200 length=1", "x"}},
        false);
}

TEST_CASE("rows 30 to 36: status line and fields") {
  const std::string end = "Content-Length: 0\r\n\r\n";
  check({{"30 body without a head", "{\"choices\":[]}\n", "failed framing"},
         {"30 shorter than the prefix", "HT", "failed framing"},
         {"31 no blank after 200", "HTTP/1.1 200\r\n" + end, "failed framing"},
         {"32 HTTP/2.0", "HTTP/2.0 200 OK\r\n" + end, "failed framing"},
         {"32 HTTP/9.9", "HTTP/9.9 200 OK\r\n" + end, "failed framing"},
         {"32 HTTP/1.2", "HTTP/1.2 200 OK\r\n" + end, "failed framing"},
         {"32 status 20x", "HTTP/1.1 20x OK\r\n" + end, "failed framing"},
         {"32 status +20", "HTTP/1.1 +20 OK\r\n" + end, "failed framing"},
         {"32 status 99", "HTTP/1.1 99 OK\r\n" + end, "failed framing"},
         {"33 status 099", "HTTP/1.1 099 OK\r\n" + end, "failed framing"},
         {"33 status 600", "HTTP/1.1 600 OK\r\n" + end, "failed framing"},
         {"33 status 999", "HTTP/1.1 999 OK\r\n" + end, "failed framing"},
         {"34 CRLF first", "\r\nHTTP/1.1 200 OK\r\n" + end, "failed framing"},
         {"34 bare LF lines", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "failed framing"},
         {"34 one bare LF", "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "failed framing"},
         {"35 bare CR in a value", with("A: b\rc\r\n" + end), "failed framing"},
         {"35 NUL in a value", with(std::string("A: b\0c\r\n", 8) + end), "failed framing"},
         {"35 NUL in a name", with(std::string("A\0: b\r\n", 7) + end), "failed framing"},
         {"35 no colon", with("Abc\r\n" + end), "failed framing"},
         {"35 empty name", with(": b\r\n" + end), "failed framing"},
         {"35 blank before the colon", with("A : b\r\n" + end), "failed framing"}},
        true);

  SUBCASE("36 obs-fold and high bytes pass") {
    const Told told =
        tell_in_all_cuts(with("A: one\r\n two\r\nB: caf\xc3\xa9\xff\r\nContent-Length: 0\r\n"), false);
    CHECK(told.outcome == "ended keep");
    REQUIRE(told.story.fields.size() == 3);
    CHECK(told.story.fields[0] == "A=one two");
    CHECK(told.story.fields[1] == "B=caf\xc3\xa9\xff");
  }
  SUBCASE("22 a TLS alert names the remedy") {
    const Told told = tell_in_all_cuts(std::string("\x15\x03\x01\x00\x02\x02\x46", 7), true);
    CHECK(told.outcome == "failed framing");
    CHECK(told.message.find("https://") != std::string::npos);
  }
}

TEST_CASE("rows 37 to 42: limits of the head, interim replies, replies without a body") {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  const std::string last = with("Content-Length: 2\r\n", "ok");
  const auto times = [](size_t n, const std::string& text) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += text;
    return out;
  };
  check({{"37 long head", with("A: " + std::string(70'000, 'a') + "\r\n"), "failed limit"},
         {"37 long head, never ended", kOk + "A: " + std::string(70'000, 'a'), "failed limit"},
         {"37 256 fields", with(fields(255) + "Content-Length: 0\r\n"), "ended keep"},
         {"37 257 fields", with(fields(256) + "Content-Length: 0\r\n"), "failed limit"},
         {"39 EOF inside the head", "HTTP/1.1 200 OK\r\nContent-Le", "failed framing"},
         {"39 EOF before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "failed framing"},
         {"40 100 and three 103", "HTTP/1.1 100 Continue\r\n\r\n" + times(3, interim) + last, "ended keep",
          "200 length=2", "ok"},
         {"40 16 interim replies", times(16, interim) + last, "ended keep", "200 length=2", "ok"},
         {"40 17 interim replies", times(17, interim) + last, "failed limit"},
         {"40 EOF after an interim reply", interim, "failed framing"},
         {"41 101 unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
          "failed framing"},
         {"42 204", "HTTP/1.1 204 No Content\r\n\r\n", "ended keep", "204"},
         {"42 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "ended keep", "304 length=9"}},
        true);
}

TEST_CASE("rows 43 to 49: how long the body is") {
  const auto length = [](const char* value) {
    return with("Content-Length: " + std::string(value) + "\r\n", "hello");
  };
  const auto coding = [](const char* value) {
    return with("Transfer-Encoding: " + std::string(value) + "\r\n", "0\r\n\r\n");
  };
  check({{"43 -1", length("-1"), "failed framing"},
         {"43 +5", length("+5"), "failed framing"},
         {"43 0x10", length("0x10"), "failed framing"},
         {"43 5 6", length("5 6"), "failed framing"},
         {"43 empty", length(""), "failed framing"},
         {"43 2^64+1", length("18446744073709551617"), "failed framing"},
         {"44 5,5", length("5,5"), "ended keep", "200 length=5", "hello"},
         {"44 twice 5", with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "ended keep",
          "200 length=5", "hello"},
         {"44 5,6", length("5,6"), "failed framing"},
         {"44 5 and 6", with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), "failed framing"},
         {"45 2^63", length("9223372036854775808"), "failed limit", "200 length=9223372036854775808"},
         {"45 longer than the body", length("6"), "failed truncated", "200 length=6", "hello"},
         {"46 shorter than the body", length("3"), "ended keep surplus=2", "200 length=3", "hel"},
         {"47 read to close", with("", "hello"), "ended", "200", "hello"},
         {"48 both", with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"), "failed framing"},
         {"48 both, the other way", with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "hello"),
          "failed framing"},
         {"49 chunked, chunked", coding("chunked, chunked"), "failed framing"},
         {"49 gzip, chunked", coding("gzip, chunked"), "failed framing"},
         {"49 identity", coding("identity"), "failed framing"},
         {"49 twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
          "failed framing"},
         {"49 HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "failed framing"},
         {"49 any case", coding("Chunked"), "ended keep", "200"}},
        true);
}

TEST_CASE("rows 50 to 57: chunks and trailers") {
  const std::string big_extension = "1;a=" + std::string(5000, 'b') + "\r\nx\r\n0\r\n\r\n";
  const std::string long_trailers = "0\r\nA: " + std::string(5000, 'a') + "\r\n\r\n";
  check(
      {{"50 17 digits", kChunked + "00000000000000001\r\nx\r\n0\r\n\r\n", "failed framing"},
       {"50 2^64-1", kChunked + "ffffffffffffffff\r\nx", "failed limit", "200"},
       {"50 -1", kChunked + "-1\r\nx\r\n", "failed framing"},
       {"50 0x5", kChunked + "0x5\r\nhello\r\n0\r\n\r\n", "failed framing"},
       {"50 empty", kChunked + "\r\nhello\r\n", "failed framing"},
       {"50 closing blank", kChunked + "5 \r\nhello\r\n0\r\n\r\n", "failed framing"},
       {"50 blank before an extension", kChunked + "5 ;a\r\nhello\r\n0\r\n\r\n", "ended keep", "200",
        "hello"},
       {"50 extensions", kChunked + "1;a\r\nx\r\n2;b=c;d=\"e f\"\r\nyz\r\n0;last\r\n\r\n", "ended keep",
        "200", "xyz"},
       {"50 an extension without a name", kChunked + "1;=a\r\nx\r\n0\r\n\r\n", "failed framing", "200"},
       {"50 the same, later", kChunked + "1\r\nx\r\n1;a=\"\r\ny\r\n0\r\n\r\n", "failed framing", "200", "x"},
       {"51 long extension", kChunked + big_extension, "failed limit"},
       {"52 no CRLF after the data", kChunked + "5\r\nhelloX0\r\n\r\n", "failed framing", "200", "hello"},
       {"52 LF-only chunk lines", kChunked + "5\nhello\n0\n\n", "failed framing"},
       {"52 LF-only, later", kChunked + "5\r\nhello\n0\n\n", "failed framing", "200", "hello"},
       {"53 EOF inside chunk data", kChunked + "5\r\nhel", "failed truncated", "200", "hel"},
       {"53 EOF inside a chunk line", kChunked + "5\r\nhello\r\n1", "failed truncated", "200", "hello"},
       {"54 EOF for the 0-chunk", kChunked + "5\r\nhello\r\n", "ended no_last_chunk", "200", "hello"},
       {"54 EOF before the CRLF too", kChunked + "5\r\nhello", "ended no_last_chunk", "200", "hello"},
       {"54 EOF inside the 0-chunk", kChunked + "5\r\nhello\r\n0\r\n", "ended no_last_chunk", "200", "hello"},
       {"55 upper-case hex", kChunked + "A\r\n0123456789\r\n0\r\n\r\n", "ended keep", "200", "0123456789"},
       {"56 bytes after the 0-chunk", kChunked + "1\r\nx\r\n0\r\n\r\nabc", "ended keep surplus=3", "200",
        "x"},
       {"56 a second response", with("Content-Length: 1\r\n", "x") + with("Content-Length: 0\r\n"),
        "ended keep surplus=38", "200 length=1", "x"},
       {"57 long trailers", kChunked + long_trailers, "failed limit"},
       {"57 64 trailers", kChunked + "0\r\n" + fields(64) + "\r\n", "ended keep", "200"},
       {"57 65 trailers", kChunked + "0\r\n" + fields(65) + "\r\n", "failed limit"},
       {"57 Content-Length in them", kChunked + "0\r\nContent-Length: 1\r\n\r\n", "failed framing"},
       {"57 LF-only trailers", kChunked + "0\r\nA: b\n\n", "failed framing"}},
      true);
}

TEST_CASE("row 55: many chunks of one byte") {
  std::string bytes = kChunked;
  std::string body;
  for (int i = 0; i < 1500; ++i) {
    body += static_cast<char>('a' + i % 26);
    bytes += "1\r\n" + body.substr(body.size() - 1) + "\r\n";
  }
  const Told told = tell_in_all_cuts(bytes + "0\r\n\r\n", false);
  CHECK(told.outcome == "ended keep");
  CHECK(told.story.body == body);
}

TEST_CASE("row 58: codings nobody asked for") {
  check({{"gzip", with("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), "failed encoding"},
         {"identity", with("Content-Encoding: identity\r\nContent-Length: 1\r\n", "x"), "ended keep",
          "200 length=1", "x"},
         {"an error page may", "HTTP/1.1 502 Bad\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
          "ended keep", "502 length=1", "x"}},
        true);
}

TEST_CASE("damaged responses tell one story however they are cut") {
  const std::string seeds[] = {
      with("Content-Type: a/b\r\nContent-Length: 5\r\n", "hello"),
      kChunked + "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nA: b\r\nC: d\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n" + with("A: one\r\n two\r\nConnection: close\r\n", "to the end"),
  };
  const std::string_view bits = "\r\n\r\n:;, \t0159afx-\x01\x7f\xff";
  std::mt19937 random(20);
  size_t different = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = seeds[random() % 3];
    for (unsigned i = 0; i <= random() % 3; ++i) {
      const size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = bits[random() % bits.size()];
          break;
        case 1:
          bytes.insert(at, 1, bits[random() % bits.size()]);
          break;
        default:
          bytes.erase(at, 1 + random() % 3);
      }
    }
    const bool closes = random() % 2 == 0;
    const Told whole = tell(bytes, {}, closes);
    const bool same = tell(bytes, every_byte(bytes.size()), closes) == whole &&
                      tell(bytes, random_cuts(bytes.size(), random), closes) == whole;
    if (!same && ++different <= 3) MESSAGE(bytes << " -> " << whole.outcome);
  }
  CHECK(different == 0);
}

TEST_CASE("the body limit counts what a success announces and what anything else sends") {
  HttpLimits limits;
  limits.body_bytes = 10;
  const std::string page = "HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n";
  const auto outcome = [&](const std::string& bytes) {
    return tell_in_all_cuts(bytes, true, limits).outcome;
  };
  CHECK(outcome(with("Content-Length: 10\r\n", "0123456789")) == "ended keep");
  CHECK(outcome(with("Content-Length: 11\r\n", "0")) == "failed limit");
  CHECK(outcome(kChunked + "6\r\n012345\r\n5\r\n0") == "failed limit");
  CHECK(outcome(page + "0123456789") == "failed truncated");
  CHECK(outcome(page + "0123456789a") == "failed limit");
  CHECK(tell(with("", "0123456789"), {}, true, limits).outcome == "ended");
  CHECK(tell(with("", "0123456789a"), {}, true, limits).outcome == "failed limit");
}

TEST_CASE("a sink stops the reader") {
  struct Stopper final : Http1Sink {
    bool on_head(const ResponseHead&) override { return ++calls < stop_at; }
    bool on_body(std::string_view) override { return ++calls < stop_at; }
    int calls = 0;
    int stop_at = 0;
  };
  for (int stop_at : {1, 2, 3}) {
    Stopper sink;
    sink.stop_at = stop_at;
    const HttpLimits limits;
    Http1Reader reader{limits};
    CHECK(reader.feed(kChunked + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n", sink) == Http1Reader::Progress::stopped);
    CHECK(sink.calls == stop_at);
  }
}

TEST_CASE("a reader serves one response after the other") {
  const HttpLimits limits;
  Http1Reader reader{limits};
  for (int i = 0; i < 3; ++i) {
    Story story;
    CHECK(reader.feed(kChunked + "2\r\nab\r\n0\r\n\r\n", story) == Http1Reader::Progress::ended);
    CHECK(story.body == "ab");
    reader.reset();
    CHECK_FALSE(reader.got_bytes());
    CHECK(reader.feed(with("Content-Length: 1\r\n", "x"), story) == Http1Reader::Progress::ended);
    reader.reset();
  }
}
