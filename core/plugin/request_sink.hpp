// Where Processor::encode puts a request, with every rule of the ABI checked: begin once, then headers, then
// body; lower-case names; no CR, LF, NUL; nothing that the core owns. Made for reuse: after clear() a request
// of the same size allocates nothing. One per I/O thread.
//
//   sink.clear(); tkm_status status = processor.encode(prompt, sink.out(), err);
//   if (status == TKM_OK && !sink.fault().empty()) ...   // a plugin bug: the request is client.plugin
#pragma once

#include <tokometer/abi.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tokometer {

class RequestSink {
 public:
  // own_auth: the component has the capability "auth.own" and may set `authorization`.
  explicit RequestSink(bool own_auth = false);
  RequestSink(const RequestSink&) = delete;  // out() points here
  RequestSink& operator=(const RequestSink&) = delete;

  const tkm_request_out& out() const { return out_; }
  void clear();

  // Empty: a complete, valid request. Else the first rule that was broken. Ask after encode returned OK.
  std::string_view fault() const;

  int32_t protocol() const { return protocol_; }
  std::string_view method() const { return method_; }
  std::string_view path() const { return path_; }  // begins with "/", with its query
  std::string_view body() const { return body_; }  // the pieces joined
  // gRPC: where each message ends in body().
  const std::vector<size_t>& message_ends() const { return message_ends_; }

  struct Header {
    std::string_view name, value;  // until clear()
  };
  size_t header_count() const { return headers_.size(); }
  Header header(size_t index) const;

 private:
  struct Piece {
    size_t name_at, name_size, value_size;  // the value follows its name in header_text_
  };
  static void on_begin(void* ctx, const tkm_call* call);
  static void on_header(void* ctx, tkm_str name, tkm_str value);
  static void on_body(void* ctx, tkm_str bytes);
  void begin(const tkm_call& call);
  void header(std::string_view name, std::string_view value);
  void refuse(std::string sentence);

  tkm_request_out out_;
  bool own_auth_;
  bool begun_ = false, in_body_ = false;
  int32_t protocol_ = 0;
  std::string method_, path_, header_text_, body_, fault_;
  std::vector<Piece> headers_;
  std::vector<size_t> message_ends_;
};

// True for the headers that are the core's: host, content-length, ..., proxy-*, grpc-*.
bool is_core_owned_header(std::string_view lower_case_name);

}  // namespace tokometer
