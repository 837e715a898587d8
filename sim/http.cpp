#include "sim/http.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional/optional.hpp>
#include <ctime>

#include "sim/error_forms.hpp"

namespace tokometer::sim {
namespace http = boost::beast::http;

struct RequestReader::Parser {
  boost::optional<http::request_parser<http::string_body>> request;

  void reset() {
    request.emplace();
    request->eager(true);
    request->header_limit(64 * 1024);
    request->body_limit(256 * 1024 * 1024);
  }
};

RequestReader::RequestReader() : parser_(std::make_unique<Parser>()) {
  parser_->reset();
}
RequestReader::~RequestReader() = default;

RequestReader::State RequestReader::read() {
  auto& request = *parser_->request;
  boost::system::error_code failure;
  size_t used = 0;
  while (used < buffer_.size() && !request.is_done()) {
    const size_t put =
        request.put(boost::asio::buffer(buffer_.data() + used, buffer_.size() - used), failure);
    used += put;
    if (failure == http::error::need_more) break;
    if (failure) return State::bad;
  }
  buffer_.erase(0, used);
  return request.is_done() ? State::complete : State::need_more;
}

Request RequestReader::take() {
  auto message = parser_->request->release();
  Request out;
  out.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  out.target = std::string(target.substr(0, target.find('?')));
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& letter : name) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    out.fields.emplace_back(std::move(name), std::string(field.value()));
  }
  out.keep_alive = message.keep_alive();
  out.body = std::move(message.body());
  parser_->reset();
  continued_ = false;
  return out;
}

bool RequestReader::wants_continue() {
  const auto& request = *parser_->request;
  if (continued_ || request.is_done() || !request.is_header_done()) return false;
  continued_ = true;
  return boost::beast::iequals(request.get()[http::field::expect], "100-continue");
}

std::string_view Request::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

std::string response_head(int status, std::string_view fields) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char date[64];
  const size_t size = std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason_phrase(status)).append("\r\ndate: ").append(date, size);
  head.append("\r\nserver: tokometer-sim\r\n").append(fields).append("\r\n");
  return head;
}

std::string whole_response(int status, std::string_view media_type, std::string_view body,
                           std::string_view fields) {
  std::string lines = "content-length: " + std::to_string(body.size()) + "\r\n";
  if (!media_type.empty()) lines.append("content-type: ").append(media_type).append("\r\n");
  lines.append(fields);
  return response_head(status, lines).append(body);
}

std::string_view ChunkBuffer::end() {
  size_t left = text_.size() - kSizeLine;
  text_.append("\r\n");
  size_t at = kSizeLine;
  text_[--at] = '\n';
  text_[--at] = '\r';
  do text_[--at] = "0123456789abcdef"[left & 15u];
  while ((left >>= 4u) != 0);
  return std::string_view(text_).substr(at);
}

}  // namespace tokometer::sim
