#include "net/http2.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include "base/text.hpp"
#include "net/ascii.hpp"

namespace tokometer {
namespace {

constexpr int32_t kWindowBytes = 16 * 1024 * 1024;  // of a stream and of the connection: updates are rare
constexpr size_t kFrameHeadBytes = 9;
constexpr size_t kUsualPieces = 32;  // of one stream in one read

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

uint8_t* bytes_of(std::string_view text) {  // nghttp2 only reads them
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

// Up to the next NUL, which is dropped too.
std::string_view take_text(std::string_view& from) {
  const std::string_view text = from.substr(0, from.find('\0'));
  from.remove_prefix(text.size() + 1);
  return text;
}

}  // namespace

void FieldBlock::read(std::vector<Field>& out) const {
  out.clear();
  std::string_view left = text_;
  for (const auto& [name, value] : sizes_) {
    out.push_back({left.substr(0, name), left.substr(name, value)});
    left.remove_prefix(name + value);
  }
}

void Http2Stream::begin() {
  id = 0;
  interim_replies = bytes = 0;
  body_bytes = 0;
  seen_to = nullptr;
  is_touched = has_head = is_closed = reset_by_peer = false;
  head_is_new = has_ended = is_head_only = is_followed = false;
  code = 0;
  status = 0;
  head.clear();
  trailers.clear();
  pieces.clear();
  pieces.reserve(kUsualPieces);
  fault = {};
}

std::string http2_failure_class(uint32_t code) {
  if (code == NGHTTP2_REFUSED_STREAM) return "h2.refused";
  return "h2." + ascii_lower(nghttp2_http2_strerror(code));
}

class Http2Session::Handle {
 public:
  ~Handle() { nghttp2_session_del(session); }
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator nghttp2_session*() const { return session; }  // NOLINT: it is one
  nghttp2_session* session = nullptr;
};

// What nghttp2 says. It forbids to send or receive in here: all is only noted.
struct Http2Session::Callbacks {
  static Http2Session& of(void* user) { return *static_cast<Http2Session*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    return of(user).take_field(*stream, view(name, name_size), view(value, value_size));
  }

  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    Http2Stream* stream = of(user).find(id);
    if (stream == nullptr || size == 0) return 0;
    return of(user).take_piece(*stream, view(data, size));
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = of(user);
    const nghttp2_frame_hd& head = frame->hd;
    if (head.type == NGHTTP2_SETTINGS && (head.flags & NGHTTP2_FLAG_ACK) == 0) self.knows_settings_ = true;
    if (head.type == NGHTTP2_GOAWAY) {
      self.has_goaway_ = true;
      self.goaway_code_ = frame->goaway.error_code;
    }
    Http2Stream* stream = self.find(head.stream_id);
    if (stream == nullptr) return 0;
    if (head.type == NGHTTP2_RST_STREAM) stream->reset_by_peer = true;
    if (head.type != NGHTTP2_HEADERS && head.type != NGHTTP2_DATA) return 0;
    const bool ends = (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (head.type == NGHTTP2_HEADERS && !stream->has_head) {
      self.take_head(*stream);
      stream->is_head_only = ends;
    }
    if (ends) stream->has_ended = true;
    // The empty frame that ends a stream, or its trailers, are no bytes of somebody else.
    const bool is_data = head.type == NGHTTP2_DATA && head.length > 0;
    if (stream->seen_to != nullptr && !is_data) stream->seen_to += kFrameHeadBytes + head.length;
    self.touch(*stream);
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t id, uint32_t code, void* user) {
    Http2Stream* stream = of(user).find(id);
    if (stream == nullptr) return 0;
    stream->is_closed = true;
    stream->code = code;
    of(user).touch(*stream);
    return 0;
  }

  static int before_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream != nullptr && frame->hd.type == NGHTTP2_HEADERS) of(user).departing_.push_back(stream);
    return 0;
  }

  static int on_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool is_request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr || !is_request || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    of(user).departed_.push_back(stream);
    return 0;
  }

  static int on_not_sent(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    const auto& streams = of(user).streams_;  // the session does not know it yet
    const auto found = std::find_if(streams.begin(), streams.end(),
                                    [&](const Http2Stream* one) { return one->id == frame->hd.stream_id; });
    if (found == streams.end()) return 0;
    Http2Stream* stream = *found;
    stream->fault = {of(user).has_goaway_ ? "h2.refused" : "h2",
                     std::string("the request could not be sent: ") + nghttp2_strerror(error)};
    stream->is_closed = true;
    of(user).touch(*stream);
    return 0;
  }

  static int on_invalid(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    of(user).detail_ = nghttp2_strerror(error);
    Http2Stream* stream = of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (stream->fault.cls.empty())
      stream->fault = {"h2", std::string("a frame breaks the rules of HTTP/2: ") + nghttp2_strerror(error)};
    of(user).touch(*stream);
    return 0;
  }

  static int on_error(nghttp2_session*, int, const char* message, size_t size, void* user) {
    of(user).detail_ = escape_terminal({message, size}, 200);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* out, size_t most, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    std::string_view& left = static_cast<Http2Stream*>(source->ptr)->body;
    const size_t size = std::min(most, left.size());
    std::memcpy(out, left.data(), size);
    left.remove_prefix(size);
    if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  static nghttp2_session* open(Http2Session& self) {
    nghttp2_session_callbacks* calls = nullptr;
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(calls, before_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(calls, on_not_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, on_invalid);
    nghttp2_session_callbacks_set_error_callback2(calls, on_error);
    nghttp2_session* session = nullptr;
    nghttp2_session_client_new(&session, calls, &self);
    nghttp2_session_callbacks_del(calls);
    return session;
  }
};

Http2Session::Http2Session(const HttpLimits& limits, std::string_view advice)
    : limits_(limits), advice_(advice), session_(std::make_unique<Handle>()) {
  session_->session = Callbacks::open(*this);
  const std::array<nghttp2_settings_entry, 3> settings = {
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.head_bytes)}}};
  nghttp2_submit_settings(*session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(*session_, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
}

Http2Session::~Http2Session() = default;

// --- requests ---

bool Http2Session::submit(Http2Stream& stream, std::string_view request) {
  thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  while (!request.empty() && request.front() != '\0') {
    const std::string_view name = take_text(request), value = take_text(request);
    fields.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  request.remove_prefix(1);
  stream.begin();
  stream.body = request;
  const nghttp2_data_provider body = {.source = {.ptr = &stream}, .read_callback = Callbacks::read_body};
  stream.id = nghttp2_submit_request(*session_, nullptr, fields.data(), fields.size(),
                                     request.empty() ? nullptr : &body, &stream);
  if (stream.id < 0) return false;
  streams_.push_back(&stream);
  return true;
}

void Http2Session::forget(Http2Stream& stream) {
  std::erase(streams_, &stream);
  std::erase(departing_, &stream);
  std::erase(departed_, &stream);
  nghttp2_session_set_stream_user_data(*session_, stream.id, nullptr);
  if (!stream.is_closed)
    nghttp2_submit_rst_stream(*session_, NGHTTP2_FLAG_NONE, stream.id,
                              stream.has_ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  stream.is_closed = true;
}

// --- responses ---

bool Http2Session::feed(std::string_view bytes) {
  if (!fault_.cls.empty()) return false;
  if (looks_like_http1(bytes)) {
    return fail("h2", "the server speaks HTTP/1.1 on this port, not HTTP/2: " + std::string(advice_));
  }
  const ssize_t read = nghttp2_session_mem_recv(*session_, bytes_of(bytes), bytes.size());
  for (Http2Stream* stream : touched_) stream->is_followed = stream->seen_to != bytes.data() + bytes.size();
  if (read >= 0) return true;
  return fail("h2", std::string("the server breaks the rules of HTTP/2: ") +
                        nghttp2_strerror(static_cast<int>(read)));
}

// An HTTP/1.1 server answers our preface with a status line.
bool Http2Session::looks_like_http1(std::string_view bytes) {
  constexpr std::string_view kStatusLine = "HTTP/1";
  if (first_bytes_.size() >= kStatusLine.size()) return false;
  first_bytes_.append(bytes.substr(0, kStatusLine.size() - first_bytes_.size()));
  return first_bytes_ == kStatusLine;
}

void Http2Session::clear_touched() {
  for (Http2Stream* stream : touched_) {
    stream->is_touched = stream->head_is_new = false;
    stream->pieces.clear();
    stream->bytes = 0;
    stream->seen_to = nullptr;
  }
  touched_.clear();
}

Http2Stream* Http2Session::find(int32_t id) const {
  if (id == 0) return nullptr;
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(*session_, id));
}

void Http2Session::touch(Http2Stream& stream) {
  if (stream.is_touched) return;
  stream.is_touched = true;
  touched_.push_back(&stream);
}

bool Http2Session::fail(std::string cls, std::string message) {
  if (!detail_.empty()) message += " (" + detail_ + ")";
  fault_ = {std::move(cls), std::move(message)};
  return false;
}

int Http2Session::take_field(Http2Stream& stream, std::string_view name, std::string_view value) {
  FieldBlock& block = stream.has_head ? stream.trailers : stream.head;
  const size_t most_bytes = stream.has_head ? limits_.trailer_bytes : limits_.head_bytes;
  const size_t most_fields = stream.has_head ? limits_.trailers : limits_.fields;
  touch(stream);
  stream.bytes += name.size() + value.size();
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), stream.status);
    return 0;
  }
  block.add(name, value);
  if (block.bytes() <= most_bytes && block.count() <= most_fields) return 0;
  stream.fault = {"limit", std::string("the ") + (stream.has_head ? "trailers" : "head") + " has more than " +
                               std::to_string(most_fields) + " fields or " + std::to_string(most_bytes) +
                               " bytes"};
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// A whole head. Interim ones are dropped.
void Http2Session::take_head(Http2Stream& stream) {
  if (stream.status >= 200 && stream.status <= 599) {
    stream.has_head = stream.head_is_new = true;
    return;
  }
  stream.head.clear();
  if (stream.status < 100 || stream.status == 101 || stream.status > 599) {
    stream.fault = {"framing", "the status " + std::to_string(stream.status) + " is none of HTTP"};
  } else if (++stream.interim_replies > limits_.interim_replies) {
    stream.fault = {"limit", "more than " + std::to_string(limits_.interim_replies) + " interim replies"};
  }
}

int Http2Session::take_piece(Http2Stream& stream, std::string_view piece) {
  touch(stream);
  stream.bytes += piece.size();
  stream.body_bytes += piece.size();
  stream.pieces.push_back(piece);
  stream.seen_to = piece.data() + piece.size();
  if (stream.body_bytes > limits_.body_bytes && stream.fault.cls.empty())
    stream.fault = {"limit", "the body has more than " + std::to_string(limits_.body_bytes) + " bytes"};
  return 0;
}

// --- the way out ---

bool Http2Session::produce(std::string& out, size_t most) {
  while (out.size() < most) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(*session_, &bytes);
    if (size < 0)
      return fail("h2", std::string("no frame can be made: ") + nghttp2_strerror(static_cast<int>(size)));
    if (size == 0) break;
    out.append(view(bytes, static_cast<size_t>(size)));
  }
  // nghttp2 has told the peer why, if it wants nothing more.
  const bool is_over =
      nghttp2_session_want_read(*session_) == 0 && nghttp2_session_want_write(*session_) == 0;
  if (is_over && !has_goaway_ && fault_.cls.empty() && !streams_.empty())
    return fail("h2", "the server breaks the rules of HTTP/2");
  return true;
}

void Http2Session::say_goodbye() {
  nghttp2_session_terminate_session(*session_, NGHTTP2_NO_ERROR);
}

uint32_t Http2Session::stream_limit() const noexcept {
  return nghttp2_session_get_remote_settings(*session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Session::takes_requests() const noexcept {
  return fault_.cls.empty() && !has_goaway_ && nghttp2_session_check_request_allowed(*session_) != 0;
}

}  // namespace tokometer
