#include "sim/http2.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

namespace tokometer::sim {
namespace {

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

uint8_t* bytes_of(std::string_view text) {  // nghttp2 only reads them
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

// Headers that belong to an HTTP/1.1 connection.
bool is_hop(std::string_view name) {
  return name == "connection" || name == "transfer-encoding" || name == "keep-alive";
}

// Of "name: value\r\n".
std::pair<std::string, std::string> field_of(std::string_view line) {
  line.remove_suffix(2);
  const std::string_view name = line.substr(0, line.find(':'));
  return {std::string(name), std::string(line.substr(std::min(line.size(), name.size() + 2)))};
}

}  // namespace

struct Http2Session::Stream {
  enum class Part { head, sized, chunk_line, chunk, chunk_end, trailers, over };

  int32_t id = 0;
  Request request;
  bool is_head = false;  // the method HEAD: no body follows
  Part part = Part::head;
  std::string text;   // of the reply, not yet understood
  uint64_t left = 0;  // of the body, or of the chunk
  std::string body;   // not yet framed
  std::vector<std::pair<std::string, std::string>> trailers;
};

class Http2Session::Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { nghttp2_session_del(session); }
  nghttp2_session* session = nullptr;
};

struct Http2Session::Callbacks {
  static Http2Session& of(void* user) { return *static_cast<Http2Session*>(user); }
  static Stream* find(void* user, int32_t id) {
    const auto at = of(user).streams_.find(id);
    return at != of(user).streams_.end() ? at->second.get() : nullptr;
  }

  static int on_begin(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto& stream = of(user).streams_[frame->hd.stream_id] = std::make_unique<Stream>();
    stream->id = frame->hd.stream_id;
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    Stream* stream = find(user, frame->hd.stream_id);
    if (stream == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    const std::string_view key = view(name, name_size), text = view(value, value_size);
    Request& request = stream->request;
    if (key == ":method") request.method = text;
    if (key == ":path") request.target = text.substr(0, text.find('?'));
    if (!key.starts_with(':')) request.fields.emplace_back(key, text);
    return 0;
  }

  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    if (Stream* stream = find(user, id)) stream->request.body.append(view(data, size));
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!ends || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) return 0;
    Stream* stream = find(user, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->is_head = stream->request.method == "HEAD";
    of(user).requests_.emplace_back(stream->id, std::move(stream->request));
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t id, uint32_t, void* user) {
    Stream* stream = find(user, id);
    if (stream == nullptr) return 0;
    if (stream->part != Stream::Part::over) of(user).gone_.push_back(id);
    of(user).streams_.erase(id);
    return 0;
  }

  static void send_trailers(nghttp2_session* session, int32_t id, const Stream& stream) {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : stream.trailers)
      fields.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    if (!fields.empty()) nghttp2_submit_trailer(session, id, fields.data(), fields.size());
  }

  static ssize_t read_body(nghttp2_session* session, int32_t id, uint8_t* out, size_t most, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    Stream& stream = *static_cast<Stream*>(source->ptr);
    const size_t size = std::min(most, stream.body.size());
    std::memcpy(out, stream.body.data(), size);
    stream.body.erase(0, size);
    const bool is_over = stream.body.empty() && stream.part == Stream::Part::over;
    if (is_over) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (is_over && !stream.trailers.empty()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (size == 0 && !is_over) return NGHTTP2_ERR_DEFERRED;
    if (is_over) send_trailers(session, id, stream);
    return static_cast<ssize_t>(size);
  }

  static nghttp2_session* open(Http2Session& self) {
    nghttp2_session_callbacks* calls = nullptr;
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, calls, &self);
    nghttp2_session_callbacks_del(calls);
    return session;
  }
};

Http2Session::Http2Session(uint32_t max_streams) : session_(std::make_unique<Handle>()) {
  session_->session = Callbacks::open(*this);
  constexpr uint32_t kWindowBytes = 16 * 1024 * 1024;
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, max_streams},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes}};
  nghttp2_submit_settings(session_->session, NGHTTP2_FLAG_NONE, settings, 2);
  nghttp2_session_set_local_window_size(session_->session, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
}

Http2Session::~Http2Session() = default;

bool Http2Session::feed(std::string_view bytes) {
  return nghttp2_session_mem_recv(session_->session, bytes_of(bytes), bytes.size()) >= 0;
}

std::string_view Http2Session::produce() {
  out_.clear();
  const uint8_t* bytes = nullptr;
  for (ssize_t size = 1; size > 0;) {
    size = nghttp2_session_mem_send(session_->session, &bytes);
    if (size > 0) out_.append(view(bytes, static_cast<size_t>(size)));
  }
  return out_;
}

// --- replies ---

void Http2Session::reply(int32_t id, std::string_view http1) {
  const auto at = streams_.find(id);
  if (at == streams_.end()) return;
  at->second->text.append(http1);
  take_reply(*at->second);
}

void Http2Session::take_reply(Stream& stream) {
  using Part = Stream::Part;
  std::string& text = stream.text;
  while (stream.part != Part::over) {
    const std::string_view mark = stream.part == Part::head ? "\r\n\r\n" : "\r\n";
    if (stream.part == Part::sized || stream.part == Part::chunk) {
      const size_t size = std::min<uint64_t>(stream.left, text.size());
      add_body(stream, std::string_view(text).substr(0, size));
      text.erase(0, size);
      stream.left -= size;
      if (stream.left > 0) return;
      if (stream.part == Part::sized) return end(stream);
      stream.part = Part::chunk_end;
      continue;
    }
    const size_t line_end = text.find(mark);
    if (line_end == text.npos) return;
    const std::string line = text.substr(0, line_end + 2);
    text.erase(0, line_end + mark.size());
    if (stream.part == Part::head) {
      send_head(stream, line);
    } else if (stream.part == Part::chunk_end) {
      stream.part = Part::chunk_line;
    } else if (stream.part == Part::trailers) {
      if (line.size() == mark.size()) return end(stream);
      stream.trailers.push_back(field_of(line));
    } else {
      std::from_chars(line.data(), line.data() + line.size(), stream.left, 16);
      stream.part = stream.left == 0 ? Part::trailers : Part::chunk;
    }
  }
}

void Http2Session::send_head(Stream& stream, std::string_view text) {
  const std::string_view status = text.substr(9, 3);  // behind "HTTP/1.1 "
  std::vector<nghttp2_nv> fields;
  const auto add = [&fields](std::string_view name, std::string_view value) {
    fields.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  };
  bool is_whole = stream.is_head;  // nothing follows: also where gRPC's status stands in the head
  std::vector<std::pair<std::string, std::string>> kept;
  add(":status", status);
  text.remove_prefix(text.find("\r\n") + 2);
  stream.part = Stream::Part::sized;
  stream.left = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find("\r\n") + 2);
    const auto [name, value] = field_of(line);
    text.remove_prefix(line.size());
    if (name == "content-length") std::from_chars(value.data(), value.data() + value.size(), stream.left);
    if (name == "transfer-encoding") stream.part = Stream::Part::chunk_line;
    if (name == "grpc-status") is_whole = true;
    if (!is_hop(name)) kept.emplace_back(name, value);
  }
  for (const auto& [name, value] : kept) add(name, value);
  if (is_whole) {
    stream.part = Stream::Part::over;
    stream.left = 0;
  }
  const nghttp2_data_provider body = {.source = {.ptr = &stream}, .read_callback = Callbacks::read_body};
  nghttp2_submit_response(session_->session, stream.id, fields.data(), fields.size(),
                          is_whole ? nullptr : &body);
}

void Http2Session::add_body(Stream& stream, std::string_view bytes) {
  stream.body.append(bytes);
  nghttp2_session_resume_data(session_->session, stream.id);
}

void Http2Session::end(Stream& stream) {
  stream.part = Stream::Part::over;
  nghttp2_session_resume_data(session_->session, stream.id);
}

bool Http2Session::is_answered(int32_t id) const {
  const auto at = streams_.find(id);
  return at == streams_.end() || at->second->part == Stream::Part::over;
}

void Http2Session::reset(int32_t stream) {
  nghttp2_submit_rst_stream(session_->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_INTERNAL_ERROR);
}

void Http2Session::go_away(int32_t last_stream) {
  nghttp2_submit_goaway(session_->session, NGHTTP2_FLAG_NONE, last_stream, NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::finish() {
  nghttp2_session_terminate_session(session_->session, NGHTTP2_NO_ERROR);
}

}  // namespace tokometer::sim
