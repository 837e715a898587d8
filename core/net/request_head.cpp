#include "net/request_head.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "net/ascii.hpp"
#include "net/grpc.hpp"

namespace tokometer {
namespace {

constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxValueBytes = 32 * 1024;  // servers take 8 to 64 KiB for a whole head
constexpr size_t kMaxTargetBytes = 8 * 1024;

constexpr std::array<std::string_view, 10> kTransport = {
    "host",    "content-length", "transfer-encoding", "connection",     "te", "trailer",
    "upgrade", "expect",         "keep-alive",        "accept-encoding"};

constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> is{};
  for (int c = '0'; c <= '9'; ++c) is[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) is[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) is[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) is[static_cast<size_t>(c)] = true;
  return is;
}();

bool is_token(std::string_view text) {
  const auto is_token_char = [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

Result<void> check_target(std::string_view target) {
  const auto bad = [](char c) { return is_control(c) || c == ' '; };
  if (target.starts_with('/') && target.size() <= kMaxTargetBytes &&
      std::none_of(target.begin(), target.end(), bad)) {
    return {};
  }
  return Error{"request path \"" + escape_terminal(target) +
               "\": must begin with \"/\" and hold no blanks, no control "
               "characters and at most " +
               std::to_string(kMaxTargetBytes) + " bytes"};
}

Result<void> check_header(std::string_view name, std::string_view value) {
  const auto refuse = [&](const std::string& what) {
    return Error{"header \"" + escape_terminal(name) + "\": " + what};
  };
  if (name.size() > kMaxNameBytes)
    return refuse("the name has more than " + std::to_string(kMaxNameBytes) + " bytes");
  if (!is_token(name)) {
    const bool controls = std::any_of(name.begin(), name.end(), is_control);
    return refuse(controls ? "control characters are not allowed"
                           : "a name holds letters, digits and -_.!#$%&'*+^`|~ only");
  }
  if (value.size() > kMaxValueBytes)
    return refuse("the value has more than " + std::to_string(kMaxValueBytes) + " bytes");
  const auto bad = [](char c) { return is_control(c) && c != '\t'; };
  if (std::any_of(value.begin(), value.end(), bad)) return refuse("control characters are not allowed");
  return {};
}

bool is_transport_header(std::string_view name) {
  return std::any_of(kTransport.begin(), kTransport.end(),
                     [&](std::string_view own) { return equals_ignoring_case(own, name); });
}

Result<void> check(const RequestHead& head) {
  if (!is_token(head.method))
    return Error{"request method \"" + escape_terminal(head.method) + "\": not a word"};
  if (auto target = check_target(head.target); !target) return target;
  const std::array<Field, 3> own = {
      {{"Host", head.authority}, {"Accept", head.accept}, {"X-Request-Id", head.request_id}}};
  for (const Field& field : own) {
    if (auto ok = check_header(field.name, field.value); !ok) return ok;
  }
  for (const Field& field : head.headers) {
    if (auto ok = check_header(field.name, field.value); !ok) return ok;
    if (is_transport_header(field.name)) {
      return Error{"header \"" + std::string(field.name) + "\" belongs to the transport and cannot be set"};
    }
  }
  return {};
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  for (const char c : name) out.push_back(ascii_lower(c));
  out.append(1, '\0').append(value).append(1, '\0');
}

}  // namespace

Result<void> write_request_head(const RequestHead& head, std::string& out) {
  if (auto ok = check(head); !ok) return ok;
  out.append(head.method).append(" ").append(head.origin).append(head.target).append(" HTTP/1.1\r\n");
  append_field(out, "Host", head.authority);
  append_field(out, "User-Agent", "tokometer/" TOKOMETER_VERSION);
  append_field(out, "Accept", head.accept);
  append_field(out, "Accept-Encoding", "identity");  // a compressor holds tokens back
  append_field(out, "Connection", head.keep_alive ? "keep-alive" : "close");
  if (!head.request_id.empty()) append_field(out, "X-Request-Id", head.request_id);
  if (!head.proxy_authorization.empty()) append_field(out, "Proxy-Authorization", head.proxy_authorization);
  for (const Field& field : head.headers) append_field(out, field.name, field.value);
  if (head.content_length) append_field(out, "Content-Length", std::to_string(*head.content_length));
  out.append("\r\n");
  return {};
}

Result<void> write_http2_request_head(const RequestHead& head, std::string& out) {
  if (auto ok = check(head); !ok) return ok;
  append_text(out, ":method", head.method);
  append_text(out, ":scheme", head.scheme);
  append_text(out, ":authority", head.authority);
  append_text(out, ":path", head.target);
  append_text(out, "user-agent", "tokometer/" TOKOMETER_VERSION);
  append_text(out, "accept", head.accept);
  append_text(out, "accept-encoding", "identity");
  if (!head.request_id.empty()) append_text(out, "x-request-id", head.request_id);
  for (const Field& field : head.headers) append_text(out, field.name, field.value);
  if (head.content_length) append_text(out, "content-length", std::to_string(*head.content_length));
  out.push_back('\0');
  return {};
}

// A proxy that drops trailers must see `te`; gRPC wants it in front of the metadata.
Result<void> write_grpc_request_head(const GrpcHead& head, std::string& out) {
  if (auto ok = check({.target = head.path,
                       .authority = head.authority,
                       .request_id = head.request_id,
                       .headers = head.headers,
                       .content_length = {}});
      !ok)
    return ok;
  append_text(out, ":method", "POST");
  append_text(out, ":scheme", head.scheme);
  append_text(out, ":authority", head.authority);
  append_text(out, ":path", head.path);
  append_text(out, "te", "trailers");
  if (head.timeout_ns > 0) append_text(out, "grpc-timeout", grpc_timeout(head.timeout_ns));
  append_text(out, "content-type", "application/grpc");
  append_text(out, "grpc-accept-encoding", "identity");
  append_text(out, "user-agent", "tokometer/" TOKOMETER_VERSION);
  if (!head.request_id.empty()) append_text(out, "x-request-id", head.request_id);
  for (const Field& field : head.headers) append_text(out, field.name, field.value);
  out.push_back('\0');
  return {};
}

}  // namespace tokometer
