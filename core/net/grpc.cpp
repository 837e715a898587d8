#include "net/grpc.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.hpp"
#include "net/ascii.hpp"

namespace tokometer {
namespace {

constexpr size_t kPrefixBytes = 5;
constexpr size_t kSpareBytes = 64;
constexpr size_t kKeptBytes = 64 * 1024;  // a buffer that was once larger is given back

constexpr std::array<std::string_view, 17> kNames = {
    "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What is no valid escape stands as it is.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    out += is_escape ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    i += is_escape ? 2 : 0;
  }
  return out;
}

bool read_code(std::string_view text, int& code) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  return error == std::errc{} && end == text.data() + text.size() && code >= 0 &&
         code < static_cast<int>(kNames.size());
}

}  // namespace

void append_grpc_message(std::string_view message, std::string& out) {
  out.push_back('\0');
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    out.push_back(static_cast<char>(message.size() >> shift));
  }
  out.append(message);
}

std::string grpc_timeout(int64_t timeout_ns) {
  constexpr int64_t kMost = 99'999'999;
  constexpr std::array<std::pair<int64_t, char>, 3> kUnits = {
      {{1'000, 'u'}, {1'000'000, 'm'}, {1'000'000'000, 'S'}}};
  for (const auto& [unit_ns, letter] : kUnits) {
    const int64_t count = timeout_ns / unit_ns + (timeout_ns % unit_ns > 0 ? 1 : 0);
    if (count <= kMost) return std::to_string(count) + letter;
  }
  return std::to_string(kMost) + 'S';
}

void GrpcReader::reset() {
  if (partial_.capacity() > kKeptBytes) partial_ = {};
  partial_.clear();
  is_given_ = false;
  fault_ = {};
}

bool GrpcReader::take_prefix(std::string_view prefix, size_t& size) {
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(prefix[i])); };
  if (prefix[0] != 0) {
    fault_ = {"encoding", "a message has the compressed flag " + std::to_string(at(0)) +
                              ", though no compression was offered"};
    return false;
  }
  size = at(1) << 24u | at(2) << 16u | at(3) << 8u | at(4);
  if (size <= kGrpcMessageBytes) return true;
  fault_ = {"limit", "a gRPC message of " + std::to_string(size) + " bytes is larger than 4 MiB"};
  return false;
}

GrpcReader::Progress GrpcReader::read(std::string_view& bytes, std::string_view& message) {
  if (!fault_.cls.empty()) return Progress::failed;
  if (is_given_) partial_.clear();
  is_given_ = false;
  size_t size = 0;
  if (partial_.empty() && bytes.size() >= kPrefixBytes) {
    if (!take_prefix(bytes, size)) return Progress::failed;
    if (bytes.size() - kPrefixBytes >= size) {
      message = bytes.substr(kPrefixBytes, size);
      bytes.remove_prefix(kPrefixBytes + size);
      return Progress::message;
    }
  }
  const auto take = [&](size_t up_to) {
    const size_t more = std::min(bytes.size(), up_to - std::min(up_to, partial_.size()));
    partial_.append(bytes.substr(0, more));
    bytes.remove_prefix(more);
    return partial_.size() == up_to;
  };
  if (partial_.size() < kPrefixBytes && !take(kPrefixBytes)) return Progress::more;
  if (!take_prefix(partial_, size)) return Progress::failed;
  partial_.reserve(std::min(kPrefixBytes + size, partial_.size() + bytes.size()) + kSpareBytes);
  if (!take(kPrefixBytes + size)) return Progress::more;
  is_given_ = true;
  message = std::string_view(partial_).substr(kPrefixBytes);
  return Progress::message;
}

bool is_grpc_type(std::string_view content_type) {
  return content_type.empty() || ascii_lower(content_type).starts_with("application/grpc");
}

bool has_grpc_status(std::span<const Field> fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const Field& field) { return field.name == "grpc-status"; });
}

GrpcStatus read_grpc_status(std::span<const Field> trailers) {
  GrpcStatus status;
  size_t found = 0;
  std::string_view text;
  for (const Field& field : trailers) {
    if (field.name == "grpc-status") text = field.value, ++found;
    if (field.name == "grpc-message") status.message = percent_decoded(field.value);
  }
  if (found == 1 && read_code(text, status.code)) return status;
  status.code = kGrpcUnknown;
  status.message = found == 0   ? "the reply ended without a grpc-status"
                   : found == 1 ? "the grpc-status \"" + escape_terminal(text, 20) + "\" is none"
                                : "the reply has " + std::to_string(found) + " grpc-status fields";
  return status;
}

std::string_view grpc_code_name(int code) {
  const bool is_known = code >= 0 && code < static_cast<int>(kNames.size());
  return kNames[static_cast<size_t>(is_known ? code : kGrpcUnknown)];
}

}  // namespace tokometer
