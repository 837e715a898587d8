// gRPC on top of HTTP/2, without a socket: messages out of body bytes cut anywhere and into them, the status
// out of trailers. The engine's Exchange and fetch() use it; HTTP/2 itself knows nothing of it.
//
//   GrpcReader reader;
//   while (reader.read(piece, message) == GrpcReader::Progress::message) use(message);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "net/field.hpp"
#include "net/http_fault.hpp"

namespace tokometer {

inline constexpr size_t kGrpcMessageBytes = 4 * 1024 * 1024;  // of one message that comes; gRPC's own default
inline constexpr int kGrpcUnknown = 2;

// Appends the message as the wire has it: not compressed, its length, its bytes.
void append_grpc_message(std::string_view message, std::string& out);

// "20S", "1500m": at most 8 digits. Rounded up.
std::string grpc_timeout(int64_t timeout_ns);

class GrpcReader {
 public:
  enum class Progress {
    more,     // all of `bytes` is read, and no further message is complete
    message,  // one is; ask again for the next
    failed,   // see fault(); nothing may be read any more
  };

  void reset();

  // Takes from the front of `bytes`, behind which 64 bytes must be readable. `message` points into them where
  // it lies there whole, else into the reader, until the next call; 64 bytes are readable behind it, too.
  // Allocates nothing for a message that lies whole in `bytes`.
  Progress read(std::string_view& bytes, std::string_view& message);

  bool is_inside() const noexcept { return !partial_.empty(); }  // of a message
  const HttpFault& fault() const noexcept { return fault_; }     // "encoding" or "limit"

 private:
  bool take_prefix(std::string_view prefix, size_t& size);

  std::string partial_;    // prefix and what has come of the message
  bool is_given_ = false;  // partial_ is what `message` points to
  HttpFault fault_;
};

struct GrpcStatus {
  int code = kGrpcUnknown;  // 0 to 16
  std::string message;      // decoded, not escaped; or what is wrong with the status
};
// Of trailers, or of the head of a reply that has nothing else. An absent or senseless status is unknown.
GrpcStatus read_grpc_status(std::span<const Field> trailers);
bool has_grpc_status(std::span<const Field> fields);

// May a body of this content type hold messages? An absent type may.
bool is_grpc_type(std::string_view content_type);

// "ok", "deadline_exceeded". Also the class of the failure: "grpc.deadline_exceeded".
std::string_view grpc_code_name(int code);

}  // namespace tokometer
