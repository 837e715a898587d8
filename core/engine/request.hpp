// One request from its sample to the bytes on the wire: builds the plugin's prompt, lets the processor encode
// it, and writes the HTTP head before the body, contiguous, so that one send() takes all. One per I/O thread;
// preflight has its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "engine/context.hpp"
#include "engine/samples.hpp"
#include "engine/sessions.hpp"
#include "net/fetch.hpp"
#include "plugin/handles.hpp"
#include "plugin/request_sink.hpp"

namespace tokometer {

struct RequestIdentity {
  uint64_t seq = 0;
  std::string_view name;     // the request id that the server sees
  std::string_view model;    // of the run file's mix; empty: the context's. A sample's own beats it
  std::string_view adapter;  // likewise
  std::string_view salt;
  size_t server = 0;                 // of RunContext::servers
  const Session* session = nullptr;  // whose turn it is
};

// Why a request could not be made: always our side's fault, so the class is client.*.
struct EncodeFault {
  std::string cls;  // "client.plugin", "client.dataset", "client.unsupported"
  std::string message;
};

class RequestEncoder {
 public:
  // Both outlive the encoder.
  RequestEncoder(const RunContext& context, Processor& processor);

  // The prompt of `sample`; its views live as long as the sample, the context and the identity, and those of
  // a session until the next prompt.
  tkm_prompt prompt_of(const Sample& sample, const RequestIdentity& identity);

  // Replaces `wire` by head and body, gRPC messages with their prefix. An empty class means success.
  // Allocates only while buffers grow.
  EncodeFault encode(const Sample& sample, const RequestIdentity& identity, std::string& wire);
  // The same request for fetch(), before the run.
  EncodeFault encode(const Sample& sample, const RequestIdentity& identity, FetchRequest& request);

 private:
  EncodeFault fill_sink(const Sample& sample, const RequestIdentity& identity);
  void append_body(std::string& out) const;
  std::string_view collect_fields(const Sample& sample);  // into fields_; returns what to accept
  Result<void> write_wire(const RequestIdentity& identity, std::string_view accept, std::string& wire);

  const RunContext& context_;
  Processor& processor_;
  const bool own_auth_;  // the processor signs: it is told to whom, and when
  RequestSink sink_;
  std::string sentence_;
  std::string path_;
  std::vector<Field> fields_;
  History history_;
};

// The output length that a request asks for: the run file's, else the sample's; -1: no limit is asked.
int64_t asked_output_tokens(const RunContext& context, const Sample& sample);

}  // namespace tokometer
