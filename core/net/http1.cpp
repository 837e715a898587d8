#include "net/http1.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <cassert>
#include <forward_list>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/ascii.hpp"
#include "net/chunk_line.hpp"
#include "net/line_block.hpp"

namespace tokometer {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view to_view(BeastView text) {
  return {text.data(), text.size()};
}

// `"HTTP/1.1 2 OK\x0d..."`, for messages.
std::string quote(std::string_view foreign) {
  return "\"" + escape_terminal(foreign) + "\"";
}

constexpr std::string_view kVersionPrefix = "HTTP/1.";

// What is needed while a head or trailers are parsed, inside one feed(): the readers of a thread, thousands
// of which may be in the middle of a stream, share it.
struct Parsed {
  std::string_view head;  // the bytes; empty for trailers
  std::vector<Field> fields;
  std::forward_list<std::string> folded;
};

Parsed& begin_parsed(std::string_view head) {
  thread_local Parsed parsed;
  parsed.head = head;
  parsed.fields.clear();
  parsed.folded.clear();
  return parsed;
}

}  // namespace

// Whole heads and trailers are gathered here before Beast sees them, so that a response is judged alike
// however it was cut. What is between them, chunks or bytes up to a length or the end, is counted here.
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

  // Beast's parser, which lives while it reads a head, or trailers.
  class Parser final : public http::basic_parser<false> {
   public:
    Parser(State& reader, size_t limit_bytes) : reader_(reader) {
      header_limit(static_cast<std::uint32_t>(limit_bytes));
      body_limit(boost::none);  // checked by us, before a byte of it comes
    }

   private:
    void on_request_impl(http::verb, BeastView, BeastView, int, error_code&) override {}
    void on_response_impl(int code, BeastView, int version, error_code& error) override {
      reader_.take_status(code, version, error);
    }
    void on_field_impl(http::field id, BeastView name, BeastView value, error_code& error) override {
      reader_.take_field(id, to_view(name), to_view(value), error);
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(BeastView, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, BeastView, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    State& reader_;
  };

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
                                quote(carry_ + std::string(bytes.substr(0, 256))));
      return false;
    }
    return true;
  }

  size_t finish_head(std::string_view bytes, size_t size) {
    std::string_view head = bytes.substr(0, size);
    if (!carry_.empty()) head = carry_.append(head);
    parsed_ = &begin_parsed(head);
    Parser parser(*this, limits_.head_bytes + 1);
    put(parser, head, "response head");
    if (failed_) return 0;
    const bool interim = status_ < 200;
    if (interim && status_ == 101) return fail("framing", "101 Switching Protocols, which nobody asked for");
    if (interim) return finish_interim(size);
    return report_head(parser) ? size : 0;
  }

  size_t finish_interim(size_t size) {
    if (++interim_ > limits_.interim_replies)
      return fail_limit("head", limits_.interim_replies, "interim replies");
    begin_head();
    return size;
  }

  bool report_head(const Parser& parser) {
    const auto length = parser.content_length();
    ResponseHead head;
    head.status = status_;
    head.fields = parsed_->fields;
    if (const std::string_view* type = head.find("content-type")) head.content_type = *type;
    if (length) head.content_length = *length;
    head.keep_alive = keep_alive_ = parser.keep_alive();
    part_ = parser.is_done() ? Part::over : parser.chunked() ? Part::chunk_line : Part::body;
    until_eof_ = parser.need_eof();
    left_ = length ? *length : UINT64_MAX;
    if (part_ == Part::chunk_line) begin_chunk_line(false);
    got_head_ = true;
    if (!check_encoding(head)) return false;
    stopped_ = !sink_->on_head(head);
    if (carry_.capacity() > kCarryToKeep) std::string().swap(carry_);
    carry_.clear();
    // A success is refused by the size it announces; an error page is read as far as the caller likes.
    counts_announced_ = status_ / 100 == 2 && !until_eof_;
    if (!stopped_ && counts_announced_ && length) count_announced(*length);
    return !failed_;
  }

  // An error page may be coded as it likes: its status is the failure.
  bool check_encoding(const ResponseHead& head) {
    const std::string_view* coding = head.find("content-encoding");
    if (coding == nullptr || coding->empty() || equals_ignoring_case(*coding, "identity")) return true;
    if (head.status / 100 != 2) return true;
    fail("encoding", "Content-Encoding " + quote(*coding) + ", though identity was asked for");
    return false;
  }

  void take_status(int code, int version, error_code& error) {
    status_ = code;
    version_ = version;
    if (code >= 100 && code <= 599) return;
    fail("framing", "status " + std::to_string(code) + " is outside 100-599");
    error = http::error::bad_status;
  }

  void take_field(http::field id, std::string_view name, std::string_view value, error_code& error) {
    const bool trailer = part_ != Part::head;
    parsed_->fields.push_back({name, keep_folded(value)});
    const size_t limit = trailer ? limits_.trailers : limits_.fields;
    if (parsed_->fields.size() > limit) {
      fail_limit(trailer ? "trailers" : "head", limit, "fields");
      error = http::error::header_limit;
    } else if (id == http::field::transfer_encoding &&
               (version_ < 11 || !equals_ignoring_case(value, "chunked"))) {
      fail("framing", "Transfer-Encoding " + quote(value) +
                          (version_ < 11 ? " in HTTP/1.0" : "; only \"chunked\" is known"));
      error = http::error::bad_transfer_encoding;
    }
  }

  // Beast joins a folded value in a buffer of its own, which is gone after the callback.
  std::string_view keep_folded(std::string_view value) {
    const std::less<const char*> less;
    const std::string_view head = parsed_->head;
    const bool inside = !less(value.data(), head.data()) && !less(head.data() + head.size(), value.data());
    return inside || part_ != Part::head ? value : std::string_view(parsed_->folded.emplace_front(value));
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
    return fail("framing", "bad chunk line " + quote(line.text));
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
    error_code error;
    http::chunk_extensions().parse(BeastView(line.extension.data(), line.extension.size()), error);
    if (error) fail("framing", "chunk line: " + error.message() + " in " + quote(line.text));
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
    if (carry_ != "\r\n") read_trailers();
    if (!failed_) part_ = Part::over;
    return size;
  }

  // Beast knows trailers as the end of a chunked response only, so it is given one.
  void read_trailers() {
    constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    Parser parser(*this, kHead.size() + limits_.trailer_bytes + 1);
    parsed_ = &begin_parsed({});
    put(parser, kHead, "trailers");
    parsed_ = &begin_parsed({});
    put(parser, carry_.insert(0, "0\r\n"), "trailers");
  }

  // --- the end of the stream ---

  void judge_eof() {
    switch (part_) {
      case Part::head:
        fail("framing", block_.bytes() == 0 ? "closed after an interim reply, before the response head"
                                            : "closed inside the response head, after " + quote(carry_));
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

  // --- Beast, faults ---

  void put(Parser& parser, std::string_view bytes, const char* where) {
    error_code error;
    parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error && !failed_) {
      fail("framing", std::string(where) + ": " + error.message() + " in " + quote(bytes.substr(0, 1024)));
    }
  }

  size_t fail(const char* cls, std::string message) {
    failed_ = true;
    fault_ = std::make_unique<HttpFault>(HttpFault{cls, std::move(message)});
    return 0;
  }

  size_t fail_limit(const char* what, uint64_t limit, const char* unit) {
    return fail("limit", std::string(what) + ": more than " + std::to_string(limit) + " " + unit);
  }

  static constexpr size_t kCarryToKeep = 1024;

  const HttpLimits& limits_;
  Http1Sink* sink_ = nullptr;
  Part part_ = Part::head;
  Parsed* parsed_ = nullptr;  // while Beast parses a head or trailers
  std::string carry_;         // an unfinished head or chunk line, or the trailers
  int status_ = 0;
  int version_ = 0;
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
