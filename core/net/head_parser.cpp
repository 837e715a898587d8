#include "net/head_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <forward_list>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "net/ascii.hpp"

namespace tokometer {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr size_t kQuotedBytes = 1024;

// What a head's views point into, besides its bytes. The readers of a thread, thousands of which may be in
// the middle of a stream, share it.
struct Fields {
  std::vector<Field> all;
  std::forward_list<std::string> folded;
};

class Parser final : public http::basic_parser<false> {
 public:
  Parser(const HttpLimits& limits, size_t limit_bytes) : limits_(limits) {
    header_limit(static_cast<std::uint32_t>(limit_bytes));
    body_limit(boost::none);  // checked by the reader, before a byte of it comes
  }

  // False: see fault().
  bool read_head(std::string_view bytes, Fields& fields) {
    bytes_ = bytes;
    fields_ = &fields;
    return read(bytes, "response head");
  }
  // Beast knows trailers as the end of a chunked response only: read_head() of one comes before.
  bool read_trailers(std::string_view bytes) {
    fields_ = nullptr;
    count_ = 0;
    return read(bytes, "trailers");
  }

  int status() const { return status_; }
  HttpFault& fault() { return *fault_; }

 private:
  bool read(std::string_view bytes, const char* where) {
    error_code error;
    put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error && !fault_)
      fault_ = {"framing", std::string(where) + ": " + error.message() + " in " +
                               quote_foreign(bytes.substr(0, kQuotedBytes))};
    return !fault_;
  }

  void on_response_impl(int code, BeastView, int version, error_code& error) override {
    status_ = code;
    version_ = version;
    if (code >= 100 && code <= 599) return;
    fault_ = {"framing", "status " + std::to_string(code) + " is outside 100-599"};
    error = http::error::bad_status;
  }
  void on_field_impl(http::field id, BeastView name, BeastView value, error_code& error) override {
    const bool in_head = fields_ != nullptr;
    const size_t limit = in_head ? limits_.fields : limits_.trailers;
    if (++count_ > limit) {
      fault_ = limit_fault(in_head ? "head" : "trailers", limit, "fields");
      error = http::error::header_limit;
    } else if (id == http::field::transfer_encoding && !is_known_coding({value.data(), value.size()})) {
      error = http::error::bad_transfer_encoding;
    } else if (in_head) {
      fields_->all.push_back({{name.data(), name.size()}, keep_folded({value.data(), value.size()})});
    }
  }
  void on_request_impl(http::verb, BeastView, BeastView, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  bool is_known_coding(std::string_view coding) {
    const bool is_old = version_ < 11;
    if (!is_old && equals_ignoring_case(coding, "chunked")) return true;
    fault_ = {"framing", "Transfer-Encoding " + quote_foreign(coding) +
                             (is_old ? " in HTTP/1.0" : "; only \"chunked\" is known")};
    return false;
  }

  // Beast joins a folded value in a buffer of its own, which is gone after the callback.
  std::string_view keep_folded(std::string_view value) {
    const std::less<const char*> less;
    const bool inside =
        !less(value.data(), bytes_.data()) && !less(bytes_.data() + bytes_.size(), value.data());
    return inside ? value : std::string_view(fields_->folded.emplace_front(value));
  }

  const HttpLimits& limits_;
  std::string_view bytes_;
  Fields* fields_ = nullptr;  // null in trailers, which are not kept
  size_t count_ = 0;
  int status_ = 0;
  int version_ = 0;
  std::optional<HttpFault> fault_;
};

}  // namespace

std::variant<ParsedHead, HttpFault> parse_head(std::string_view bytes, const HttpLimits& limits) {
  thread_local Fields fields;
  fields.all.clear();
  fields.folded.clear();
  Parser parser(limits, limits.head_bytes + 1);
  if (!parser.read_head(bytes, fields)) return std::move(parser.fault());
  ParsedHead it;
  it.head.status = parser.status();
  it.head.fields = fields.all;
  if (const std::string_view* type = it.head.find("content-type")) it.head.content_type = *type;
  if (const auto length = parser.content_length()) it.head.content_length = *length;
  it.head.keep_alive = parser.keep_alive();
  it.has_body = !parser.is_done();
  it.is_chunked = parser.chunked();
  it.until_eof = parser.need_eof();
  return it;
}

std::optional<HttpFault> check_trailers(std::string_view bytes, const HttpLimits& limits) {
  if (bytes == "\r\n") return std::nullopt;
  constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  Parser parser(limits, kHead.size() + limits.trailer_bytes + 1);
  Fields fields;
  if (parser.read_head(kHead, fields) && parser.read_trailers("0\r\n" + std::string(bytes)))
    return std::nullopt;
  return std::move(parser.fault());
}

}  // namespace tokometer
