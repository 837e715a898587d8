// The event-stream reader by itself: what the tests of replies cannot see.
#include <doctest/doctest.h>

#include <tokometer/sse.hpp>

#include <string>

namespace {

struct Told {
  tkm::SseReader* reader = nullptr;
  std::string text;
  bool stops_at_event = false;

  void event(std::string_view name, std::string_view data) {
    text += "event[" + std::string(name) + "|" + std::string(data) + "]";
    if (stops_at_event) reader->stop();
  }
  void keep_alive() { text += "alive "; }
  void stray_line(std::string_view line) { text += "stray[" + std::string(line) + "]"; }
  void too_long(std::string_view what) { text += "too long: " + std::string(what); }
};

std::string read(const std::string& stream, size_t piece) {
  tkm::SseReader reader;
  Told told;
  for (size_t at = 0; at < stream.size(); at += piece)
    reader.feed(std::string_view(stream).substr(at, piece), told);
  return told.text;
}

}  // namespace

TEST_CASE("names, data, strays; in every cut") {
  const std::string stream =
      "event: a\ndata: 1\n\ndata: 2\r\nevent:b\r\n\r\n: c\ndata:3\rdata: 4\r\rwhat: x\ndata\n\nevent: "
      "only\n\ndata: open";
  const std::string told = "event[a|1]event[b|2]alive event[|3\n4]stray[what: x]event[|]event[only|]";
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    CAPTURE(piece);
    CHECK(read(stream, piece) == told);
  }
}

TEST_CASE("stop from inside a callback ends all and frees the memory") {
  tkm::SseReader reader;
  Told told{.reader = &reader, .text = {}, .stops_at_event = true};
  reader.feed("data: 1\n\ndata: 2\n\ndata: 3", told);
  CHECK(told.text == "event[|1]");
  CHECK(reader.is_stopped());
  CHECK(reader.unfinished().empty());
  reader.feed("data: 4\n\n", told);
  CHECK(told.text == "event[|1]");
}

TEST_CASE("an unfinished event can be seen") {
  tkm::SseReader reader;
  Told told;
  reader.feed("data: 1\n\nda", told);
  reader.feed("ta: 2\r", told);
  CHECK(reader.unfinished() == "data: 2\n");
  reader.feed("\n\r\n", told);
  CHECK(reader.unfinished().empty());
  CHECK(told.text == "event[|1]event[|2]");
}

TEST_CASE("lines and events at the limit are taken") {
  const std::string line = "data:" + std::string(tkm::kMaxSseLineBytes - 5, 'x');
  CHECK(read(line + "\n\n", line.size() + 2).starts_with("event["));
  CHECK(read(line + "\n\n", 65536).starts_with("event["));
  CHECK(read(line + "x\n\n", line.size() + 3) == "too long: line");
  CHECK(read(line + "x\n\n", 65536) == "too long: line");
  CHECK(read(":" + line + "\n", 65536) == "too long: line");
}
