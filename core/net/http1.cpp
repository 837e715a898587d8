#include "net/http1.hpp"

#include <algorithm>
#include <boost/beast/http/chunk_encode.hpp>
#include <cassert>
#include <optional>
#include <utility>
#include <variant>

#include "net/ascii.hpp"
#include "net/chunk_line.hpp"
#include "net/head_parser.hpp"
#include "net/line_block.hpp"

namespace tokometer {
namespace {

constexpr std::string_view kVersionPrefix = "HTTP/1.";

}  // namespace

// Gathers heads and trailers, which head_parser.hpp judges whole, and counts what is between them: chunks, or
// bytes up to a length or the end.
class Http1Reader::State {
 public:
  explicit State(const HttpLimits& limits) : limits_(limits) { reset(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void reset() {
    interim_ = 0;
    begin_head();
    body_bytes_ = 0;
    got_bytes_ = got_head_ = stopped_ = failed_ = no_last_chunk_ = keep_alive_ = false;
    consumed_ = 0;
  }

  Progress feed(std::string_view bytes, Http1Sink& sink) {
    assert(!failed_ && !stopped_ && part_ != Part::over);
    sink_ = &sink;
    consumed_ = 0;
    got_bytes_ = got_bytes_ || !bytes.empty();
    while (consumed_ < bytes.size() && part_ != Part::over && !failed_ && !stopped_) {
      consumed_ += feed_part(bytes.substr(consumed_));
    }
    if (stopped_) return Progress::stopped;
    if (failed_) return Progress::failed;
    return part_ == Part::over ? Progress::ended : Progress::more;
  }

  Progress feed_eof() {
    assert(got_bytes_ && !failed_ && !stopped_ && part_ != Part::over);
    judge_eof();
    if (failed_) return Progress::failed;
    keep_alive_ = false;
    part_ = Part::over;
    return Progress::ended;
  }

  size_t consumed() const { return consumed_; }
  bool got_bytes() const { return got_bytes_; }
  bool got_head() const { return got_head_; }
  bool no_last_chunk() const { return no_last_chunk_; }
  bool keep_alive() const { return part_ == Part::over && keep_alive_; }
  const HttpFault& fault() const { return *fault_; }

 private:
  enum class Part { head, body, chunk_line, chunk_data, trailers, over };

  size_t feed_part(std::string_view bytes) {
    switch (part_) {
      case Part::head:
        return feed_head(bytes);
      case Part::chunk_line:
        return feed_chunk_line(bytes);
      case Part::chunk_data:
        return feed_chunk_data(bytes);
      case Part::trailers:
        return feed_trailers(bytes);
      default:
        return feed_body(bytes);
    }
  }

  // --- head ---

  void begin_head() {
    part_ = Part::head;
    if (carry_.capacity() > kCarryToKeep) std::string().swap(carry_);
    carry_.clear();
    block_ = LineBlock(limits_.head_bytes);
  }

  // Gathers lines up to the empty one. Only what cannot wait for it is judged here.
  size_t feed_head(std::string_view bytes) {
    if (!check_version_prefix(bytes)) return 0;
    size_t size = 0;
    switch (block_.scan(bytes, size)) {
      case LineBlock::Found::too_long:
        return fail_limit("head", limits_.head_bytes, "bytes");
      case LineBlock::Found::bare_line_feed:
        return fail("framing", "a line of the response head ends without a carriage return");
      case LineBlock::Found::end:
        return finish_head(bytes, size);
      case LineBlock::Found::more:
        carry_.append(bytes);
    }
    return size;
  }

  bool check_version_prefix(std::string_view bytes) {
    for (size_t i = 0; block_.bytes() + i < kVersionPrefix.size() && i < bytes.size(); ++i) {
      if (bytes[i] == kVersionPrefix[block_.bytes() + i]) continue;
      const bool tls = block_.bytes() == 0 && (bytes[0] == 0x15 || bytes[0] == 0x16);
      fail("framing", tls ? "the peer speaks TLS: use https:// in the URL"
                          : "not an HTTP/1 response; it begins with " +
                                quote_foreign(carry_ + std::string(bytes.substr(0, 256))));
      return false;
    }
    return true;
  }

  size_t finish_head(std::string_view bytes, size_t size) {
    std::string_view head = bytes.substr(0, size);
    if (!carry_.empty()) head = carry_.append(head);
    auto parsed = parse_head(head, limits_);
    if (auto* fault = std::get_if<HttpFault>(&parsed)) return fail(std::move(*fault));
    const auto& it = std::get<ParsedHead>(parsed);
    if (it.head.status == 101) return fail("framing", "101 Switching Protocols, which nobody asked for");
    if (it.head.status < 200) return finish_interim(size);
    return report_head(it) ? size : 0;
  }

  size_t finish_interim(size_t size) {
    if (++interim_ > limits_.interim_replies)
      return fail_limit("head", limits_.interim_replies, "interim replies");
    begin_head();
    return size;
  }

  bool report_head(const ParsedHead& it) {
    const ResponseHead& head = it.head;
    keep_alive_ = head.keep_alive;
    part_ = !it.has_body ? Part::over : it.is_chunked ? Part::chunk_line : Part::body;
    until_eof_ = it.until_eof;
    left_ = head.content_length.value_or(UINT64_MAX);
    if (part_ == Part::chunk_line) begin_chunk_line(false);
    got_head_ = true;
    if (!check_encoding(head)) return false;
    stopped_ = !sink_->on_head(head);
    if (carry_.capacity() > kCarryToKeep) std::string().swap(carry_);
    carry_.clear();
    // A success is refused by the size it announces; an error page is read as far as the caller likes.
    counts_announced_ = head.status / 100 == 2 && !until_eof_;
    if (!stopped_ && counts_announced_ && head.content_length) count_announced(*head.content_length);
    return !failed_;
  }

  // An error page may be coded as it likes: its status is the failure.
  bool check_encoding(const ResponseHead& head) {
    const std::string_view* coding = head.find("content-encoding");
    if (coding == nullptr || coding->empty() || equals_ignoring_case(*coding, "identity")) return true;
    if (head.status / 100 != 2) return true;
    fail("encoding", "Content-Encoding " + quote_foreign(*coding) + ", though identity was asked for");
    return false;
  }

  // --- body ---

  size_t feed_body(std::string_view bytes) {
    const size_t taken = take_left(bytes);
    if (left_ == 0 && !failed_ && !stopped_) part_ = Part::over;
    return taken;
  }

  // What of the bytes belongs to the chunk, or to the body.
  size_t take_left(std::string_view bytes) {
    const std::string_view piece = bytes.substr(0, std::min<uint64_t>(bytes.size(), left_));
    if (!until_eof_) left_ -= piece.size();
    take_body(piece);
    return piece.size();
  }

  void take_body(std::string_view piece) {
    if (!counts_announced_) piece = count_received(piece);
    if (!piece.empty()) stopped_ = !sink_->on_body(piece);
  }

  // What of the piece is within the limit.
  std::string_view count_received(std::string_view piece) {
    const uint64_t allowed = std::min<uint64_t>(piece.size(), limits_.body_bytes - body_bytes_);
    if (allowed < piece.size()) {
      count_announced(piece.size());
    } else {
      body_bytes_ += allowed;
    }
    return piece.substr(0, static_cast<size_t>(allowed));
  }

  void count_announced(uint64_t bytes) {
    if (bytes > limits_.body_bytes - body_bytes_)
      return void(fail_limit("body", limits_.body_bytes, "bytes"));
    body_bytes_ += bytes;
  }

  // --- chunks: a token's way ---

  void begin_chunk_line(bool after_data) {
    part_ = Part::chunk_line;
    chunk_line_.begin(after_data, carry_);
  }

  size_t feed_chunk_line(std::string_view bytes) {
    size_t size = 0;
    ChunkLine::Line line;
    switch (chunk_line_.scan(bytes, limits_.chunk_line_bytes, carry_, line, size)) {
      case ChunkLine::Found::more:
        return size;
      case ChunkLine::Found::line:
        take_chunk_line(line);
        return size;
      case ChunkLine::Found::no_crlf:
        return fail("framing", "no CRLF after the data of a chunk");
      case ChunkLine::Found::too_long:
        return fail_limit("chunk line", limits_.chunk_line_bytes, "bytes");
      case ChunkLine::Found::malformed:
        break;
    }
    return fail("framing", "bad chunk line " + quote_foreign(line.text));
  }

  void take_chunk_line(const ChunkLine::Line& line) {
    check_extension(line);
    if (line.is_last()) {
      part_ = Part::trailers;
      carry_.clear();
      block_ = LineBlock(limits_.trailer_bytes);
      return;
    }
    left_ = line.chunk_bytes();
    if (counts_announced_) count_announced(left_);
    part_ = Part::chunk_data;
  }

  void check_extension(const ChunkLine::Line& line) {
    if (line.extension.empty()) return;
    boost::beast::error_code error;
    boost::beast::http::chunk_extensions().parse({line.extension.data(), line.extension.size()}, error);
    if (error) fail("framing", "chunk line: " + error.message() + " in " + quote_foreign(line.text));
  }

  size_t feed_chunk_data(std::string_view bytes) {
    const size_t taken = take_left(bytes);
    if (left_ == 0 && !failed_ && !stopped_) begin_chunk_line(true);
    return taken;
  }

  size_t feed_trailers(std::string_view bytes) {
    size_t size = 0;
    const LineBlock::Found found = block_.scan(bytes, size);
    if (found == LineBlock::Found::too_long) return fail_limit("trailers", limits_.trailer_bytes, "bytes");
    if (found == LineBlock::Found::bare_line_feed)
      return fail("framing", "a trailer line ends without a carriage return");
    carry_.append(bytes.substr(0, size));
    if (found == LineBlock::Found::more) return size;
    if (auto fault = check_trailers(carry_, limits_)) return fail(std::move(*fault));
    part_ = Part::over;
    return size;
  }

  // --- the end of the stream ---

  void judge_eof() {
    switch (part_) {
      case Part::head:
        fail("framing", block_.bytes() == 0
                            ? "closed after an interim reply, before the response head"
                            : "closed inside the response head, after " + quote_foreign(carry_));
        return;
      case Part::body:
        if (!until_eof_)
          fail("truncated", "closed inside the body, which is shorter than its Content-Length");
        return;
      case Part::chunk_data:
        fail("truncated", "closed inside a chunk");
        return;
      case Part::chunk_line:
        if (!ChunkLine::is_last_so_far(carry_)) fail("truncated", "closed inside a chunk line");
        [[fallthrough]];
      default:
        no_last_chunk_ = true;
    }
  }

  // --- faults ---

  size_t fail(HttpFault fault) {
    failed_ = true;
    fault_ = std::make_unique<HttpFault>(std::move(fault));
    return 0;
  }
  size_t fail(const char* cls, std::string message) { return fail({cls, std::move(message)}); }
  size_t fail_limit(std::string_view what, uint64_t limit, std::string_view unit) {
    return fail(limit_fault(what, limit, unit));
  }

  static constexpr size_t kCarryToKeep = 1024;

  const HttpLimits& limits_;
  Http1Sink* sink_ = nullptr;
  Part part_ = Part::head;
  std::string carry_;  // an unfinished head or chunk line, or the trailers
  uint32_t interim_ = 0;
  ChunkLine chunk_line_;
  LineBlock block_;          // the head's or the trailers'
  uint64_t left_ = 0;        // bytes of the chunk, or of the body; UINT64_MAX: until the end
  uint64_t body_bytes_ = 0;  // announced or received
  size_t consumed_ = 0;
  bool counts_announced_ = false;
  bool until_eof_ = false;
  bool got_bytes_ = false;
  bool got_head_ = false;
  bool stopped_ = false;
  bool failed_ = false;
  bool no_last_chunk_ = false;
  bool keep_alive_ = false;
  std::unique_ptr<HttpFault> fault_;
};

const std::string_view* ResponseHead::find(std::string_view name) const noexcept {
  const auto at = std::find_if(fields.begin(), fields.end(),
                               [&](const Field& field) { return equals_ignoring_case(field.name, name); });
  return at == fields.end() ? nullptr : &at->value;
}

Http1Reader::Http1Reader(const HttpLimits& limits) : state_(std::make_unique<State>(limits)) {}
Http1Reader::~Http1Reader() = default;
Http1Reader::Http1Reader(Http1Reader&&) noexcept = default;
Http1Reader& Http1Reader::operator=(Http1Reader&&) noexcept = default;

void Http1Reader::reset() {
  state_->reset();
}
Http1Reader::Progress Http1Reader::feed(std::string_view bytes, Http1Sink& sink) {
  return state_->feed(bytes, sink);
}
Http1Reader::Progress Http1Reader::feed_eof() {
  return state_->feed_eof();
}
size_t Http1Reader::consumed() const noexcept {
  return state_->consumed();
}
bool Http1Reader::got_bytes() const noexcept {
  return state_->got_bytes();
}
bool Http1Reader::got_head() const noexcept {
  return state_->got_head();
}
bool Http1Reader::no_last_chunk() const noexcept {
  return state_->no_last_chunk();
}
bool Http1Reader::keep_alive() const noexcept {
  return state_->keep_alive();
}
const HttpFault& Http1Reader::fault() const noexcept {
  return state_->fault();
}

}  // namespace tokometer
