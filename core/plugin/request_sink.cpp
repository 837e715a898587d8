#include "plugin/request_sink.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxHeaders = 256;
constexpr size_t kMaxHeaderBytes = 64 * 1024;  // all names and values together
constexpr size_t kMaxBodyBytes = size_t{1} << 30;
constexpr size_t kMaxPathBytes = 16 * 1024;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool is_token(std::string_view text) {
  constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || kAlso.find(c) != kAlso.npos;
  });
}

bool is_method(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_path(std::string_view text) {
  return text.size() <= kMaxPathBytes && text.substr(0, 1) == "/" &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}

bool is_view(const tkm_str& text) {
  return text.data != nullptr || text.size == 0;
}
std::string_view view_of(const tkm_str& text) {
  return {text.data, text.size};
}
bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string in_quotes(std::string_view text) {
  return "\"" + escape_terminal(text, 64) + "\"";
}

}  // namespace

bool is_core_owned_header(std::string_view name) {
  constexpr std::array<std::string_view, 13> kOwned = {
      "host",    "content-length", "transfer-encoding", "connection", "te",           "trailer",
      "upgrade", "expect",         "accept-encoding",   "user-agent", "x-request-id", "authorization",
      "cookie"};
  return std::find(kOwned.begin(), kOwned.end(), name) != kOwned.end() || begins_with(name, "proxy-") ||
         begins_with(name, "grpc-");
}

RequestSink::RequestSink(bool own_auth)
    : out_{sizeof(tkm_request_out), 0, this, on_begin, on_header, on_body}, own_auth_(own_auth) {}

void RequestSink::clear() {
  begun_ = in_body_ = false;
  protocol_ = 0;
  for (std::string* text : {&method_, &path_, &header_text_, &body_, &fault_}) text->clear();
  headers_.clear();
  message_ends_.clear();
}

std::string_view RequestSink::fault() const {
  if (!fault_.empty()) return fault_;
  return begun_ ? std::string_view() : "plugin bug: encode never called begin";
}

RequestSink::Header RequestSink::header(size_t index) const {
  const Piece& piece = headers_[index];
  const std::string_view text = header_text_;
  return {text.substr(piece.name_at, piece.name_size),
          text.substr(piece.name_at + piece.name_size, piece.value_size)};
}

void RequestSink::on_begin(void* ctx, const tkm_call* call) {
  auto& sink = *static_cast<RequestSink*>(ctx);
  if (call == nullptr || call->struct_size < sizeof(tkm_call))
    return sink.refuse("begin was given no valid tkm_call");
  sink.begin(*call);
}

void RequestSink::on_header(void* ctx, tkm_str name, tkm_str value) {
  auto& sink = *static_cast<RequestSink*>(ctx);
  if (!is_view(name) || !is_view(value)) return sink.refuse("a header is a NULL pointer with a length");
  sink.header(view_of(name), view_of(value));
}

void RequestSink::on_body(void* ctx, tkm_str bytes) {
  auto& sink = *static_cast<RequestSink*>(ctx);
  if (!sink.begun_) return sink.refuse("body came before begin");
  if (!is_view(bytes)) return sink.refuse("the body is a NULL pointer with a length");
  if (bytes.size > kMaxBodyBytes - sink.body_.size()) return sink.refuse("the body is larger than 1 GiB");
  sink.in_body_ = true;
  sink.body_.append(view_of(bytes));
  if (sink.protocol_ == TKM_GRPC) sink.message_ends_.push_back(sink.body_.size());
}

void RequestSink::begin(const tkm_call& call) {
  if (begun_) return refuse("begin was called twice");
  begun_ = true;
  if (!is_view(call.method) || !is_view(call.path)) return refuse("begin was given no valid tkm_call");
  const std::string_view method = view_of(call.method), path = view_of(call.path);
  const bool is_grpc = call.protocol == TKM_GRPC;
  if (!is_grpc && call.protocol != TKM_HTTP)
    return refuse("unknown protocol " + std::to_string(call.protocol));
  if (is_grpc ? !method.empty() : !is_method(method))
    return refuse("method " + in_quotes(method) + " is not valid");
  if (!is_path(path)) return refuse("path " + in_quotes(path) + " is not valid");
  protocol_ = call.protocol;
  method_.assign(method);
  path_.assign(path);
}

void RequestSink::header(std::string_view name, std::string_view value) {
  if (!begun_) return refuse("a header came before begin");
  if (in_body_) return refuse("header " + in_quotes(name) + " came after the body");
  if (!is_token(name)) return refuse("header name " + in_quotes(name) + " is no lower-case name");
  if (has_control(value)) return refuse("header " + in_quotes(name) + ": control characters are not allowed");
  const bool is_own_auth = own_auth_ && name == "authorization";
  const bool is_grpc_type = protocol_ == TKM_GRPC && name == "content-type";
  if ((is_core_owned_header(name) && !is_own_auth) || is_grpc_type) {
    return refuse("header " + in_quotes(name) + " belongs to the core: a plugin must not set it");
  }
  const size_t more = name.size() + value.size();
  if (headers_.size() == kMaxHeaders ||
      more > kMaxHeaderBytes - std::min(kMaxHeaderBytes, header_text_.size())) {
    return refuse("more than 256 headers or 64 KiB of them");
  }
  headers_.push_back({header_text_.size(), name.size(), value.size()});
  header_text_.append(name).append(value);
}

void RequestSink::refuse(std::string sentence) {
  if (fault_.empty()) fault_ = "plugin bug: encode: " + std::move(sentence);
}

}  // namespace tokometer
