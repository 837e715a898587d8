// Cuts a byte stream into server-sent events (WHATWG rules), wherever the network cut it. Used by the streams
// of processors, one SseReader a response; not for two threads at once.
//
// An event that lies whole in the bytes given is handed on in place; only an unfinished one is copied. Work
// is linear in the bytes, also when they come one by one, and nothing is allocated while events arrive whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tkm {

inline constexpr size_t kMaxSseLineBytes = size_t{1} << 20;
inline constexpr size_t kMaxSseEventBytes = size_t{4} << 20;

// What a reader tells. All views end with the call; the sink may call stop() on the reader that calls it.
template <class Sink>
concept SseSink = requires(Sink& sink, std::string_view text) {
  // `data` of several lines is joined with LF. A block that has only an event name gives empty data.
  sink.event(/*name*/ text, /*data*/ text);
  sink.keep_alive();      // a comment line, or a blank line where nothing is open
  sink.stray_line(text);  // no field of the format: skipped, as browsers do
  sink.too_long(text);    // "line" or "event": the limit is exceeded, nothing more will come
};

namespace sse_detail {

// Finds line ends; looks at each byte once for LF and once for CR, whatever the lines look like.
class LineEnds {
 public:
  explicit LineEnds(std::string_view bytes) : bytes_(bytes), lf_(bytes.find('\n')), cr_(bytes.find('\r')) {}

  size_t next(size_t at) {
    if (lf_ < at) lf_ = bytes_.find('\n', at);
    if (cr_ < at) cr_ = bytes_.find('\r', at);
    return std::min(lf_, cr_);
  }

 private:
  std::string_view bytes_;
  size_t lf_, cr_;
};

// "name: value" -> value, without the one blank that may follow the colon.
inline std::string_view value_of(std::string_view line, size_t name_size) {
  line.remove_prefix(std::min(line.size(), name_size + 1));
  if (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

inline std::string_view field_of(std::string_view line) {
  return line.substr(0, line.find(':'));
}

}  // namespace sse_detail

class SseReader {
 public:
  template <SseSink Sink>
  void feed(std::string_view bytes, Sink& sink) {
    size_t at = skip_bom(bytes);
    sse_detail::LineEnds ends(bytes);
    while (at < bytes.size() && !stopped_) {
      if (skip_lf_ && bytes[at] == '\n') ++at;
      skip_lf_ = false;
      if (at == bytes.size()) break;
      const size_t end = ends.next(at);
      const std::string_view piece = bytes.substr(at, end == bytes.npos ? end : end - at);
      if (end == bytes.npos) {
        hold(piece, sink);
        break;
      }
      at = end + 1;
      skip_lf_ = bytes[end] == '\r';
      if (block_.empty() && at < bytes.size() && bytes[at] == '\n' && !skip_lf_ && is_lone_data(piece)) {
        ++at;
        commented_ = false;
        sink.event({}, sse_detail::value_of(piece, 4));
      } else {
        finish_line(piece, sink);
      }
    }
    if (stopped_) std::string().swap(block_);
  }

  // No more callbacks, and the memory is given back. May be called from inside a callback.
  void stop() { stopped_ = true; }
  bool is_stopped() const { return stopped_; }

  // The event that is not complete yet, its lines ended by LF; empty between events.
  std::string_view unfinished() const { return block_; }

 private:
  static constexpr size_t kKeptBytes = 16 << 10;  // of the carry, between events

  static bool is_lone_data(std::string_view line) {
    return line.starts_with("data:") && line.size() <= kMaxSseLineBytes;
  }

  // The byte order mark at the very start, which may come cut. What only looked like one belongs to the first
  // line.
  size_t skip_bom(std::string_view bytes) {
    constexpr std::string_view kBom = "\xEF\xBB\xBF";
    size_t at = 0;
    while (bom_seen_ < kBom.size() && at < bytes.size()) {
      if (bytes[at] == kBom[bom_seen_]) {
        ++bom_seen_, ++at;
      } else {
        block_.assign(kBom.substr(0, bom_seen_));
        bom_seen_ = kBom.size();
      }
    }
    return at;
  }

  // Appends to the unfinished line; false: that was too much.
  template <class Sink>
  bool hold(std::string_view piece, Sink& sink) {
    const size_t line_bytes = block_.size() - line_at_ + piece.size();
    if (line_bytes > kMaxSseLineBytes || block_.size() + piece.size() > kMaxSseEventBytes) {
      stop();
      sink.too_long(line_bytes > kMaxSseLineBytes ? "line" : "event");
      return false;
    }
    block_.append(piece);
    return true;
  }

  template <class Sink>
  void finish_line(std::string_view piece, Sink& sink) {
    if (!hold(piece, sink)) return;
    const std::string_view line = std::string_view(block_).substr(line_at_);
    if (line.empty()) return finish_block(sink);
    const std::string_view field = sse_detail::field_of(line);
    if (field == "data" || field == "event") {
      block_.push_back('\n');
      line_at_ = block_.size();
      return;
    }
    if (field.empty()) {
      commented_ = true;
      sink.keep_alive();
    } else if (field != "id" && field != "retry") {
      sink.stray_line(line);
    }
    block_.resize(line_at_);
  }

  template <class Sink>
  void finish_block(Sink& sink) {
    if (!block_.empty()) {
      deliver(block_, sink);
      block_.clear();
      line_at_ = 0;
      if (block_.capacity() > kKeptBytes) std::string().swap(block_);
    } else if (!commented_) {
      sink.keep_alive();
    }
    commented_ = false;
  }

  template <class Sink>
  static void deliver(std::string_view block, Sink& sink) {
    std::string_view name, data;
    std::string joined;
    size_t data_lines = 0;
    for (size_t end = 0; !block.empty(); block.remove_prefix(end + 1)) {
      end = block.find('\n');
      const std::string_view line = block.substr(0, end);
      if (sse_detail::field_of(line) == "event") {
        name = sse_detail::value_of(line, 5);
      } else if (++data_lines == 1) {
        data = sse_detail::value_of(line, 4);
      } else {
        if (data_lines == 2) joined = data;
        joined.append(1, '\n').append(sse_detail::value_of(line, 4));
      }
    }
    sink.event(name, data_lines > 1 ? std::string_view(joined) : data);
  }

  std::string block_;       // the lines of the unfinished event, then its unfinished line
  size_t line_at_ = 0;      // where that line begins
  size_t bom_seen_ = 0;     // bytes of it; 3: the start is over
  bool skip_lf_ = false;    // the last byte was CR: an LF right after it belongs to it
  bool commented_ = false;  // the open block had a comment: its blank line is no news
  bool stopped_ = false;
};

}  // namespace tkm
