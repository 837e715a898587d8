#include "program.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <regex>
#include <tokometer/json.hpp>

#include "base/file.hpp"

namespace tokometer::sim {

ScratchFolder::ScratchFolder() {
  char name[] = "/tmp/tokometer-sim-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  path_ = name;
}

SimProgram::SimProgram(std::vector<std::string> flags) {
  std::vector<std::string> argv{TOKOMETER_BUILD_DIR "/bin/tokometer-sim", "--exit-with-stdin"};
  if (std::find(flags.begin(), flags.end(), "--truth") == flags.end())
    argv.insert(argv.end(), {"--truth", folder_.path()});
  argv.insert(argv.end(), flags.begin(), flags.end());
  ChildProcess::Options options;
  options.quiet_stderr = true;
  auto process = ChildProcess::start(argv, options);
  REQUIRE(process);
  process_ = std::make_unique<ChildProcess>(std::move(*process));
  const auto ready = process_->read_line(10'000'000'000);
  REQUIRE(ready);
  REQUIRE(ready->starts_with("READY http://127.0.0.1:"));
  port_ = static_cast<uint16_t>(std::stoi(ready->substr(ready->rfind(':') + 1)));
}

SimProgram::~SimProgram() {
  if (!process_->wait(0)) CHECK(stop() == 0);
}

int SimProgram::stop() {
  ::kill(process_->pid(), SIGTERM);
  return process_->wait(10'000'000'000).value_or(-1);
}

std::vector<TruthRow> SimProgram::rows() const {
  const auto bytes = read_file(folder_.path() / "truth.bin", 64u << 20u);
  REQUIRE(bytes);
  std::vector<TruthRow> rows(bytes->size() / sizeof(TruthRow));
  std::memcpy(rows.data(), bytes->data(), rows.size() * sizeof(TruthRow));
  const auto end =
      std::find_if(rows.begin(), rows.end(), [](const TruthRow& row) { return row.due_ns == 0; });
  rows.erase(end, rows.end());
  return rows;
}

std::vector<std::string> SimProgram::lines() const {
  const auto text = read_file(folder_.path() / "truth.jsonl", 64u << 20u);
  REQUIRE(text);
  std::vector<std::string> lines;
  for (size_t at = 0; at < text->size(); at = text->find('\n', at) + 1)
    lines.push_back(text->substr(at, text->find('\n', at) - at));
  return lines;
}

Client::Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

Client::~Client() {
  ::close(fd_);
}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(sent > 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

void Client::post(std::string_view path, std::string_view json, std::string_view headers) {
  std::string request = "POST " + std::string(path) +
                        " HTTP/1.1\r\nHost: sim\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(json.size()) + "\r\n";
  send(request.append(headers).append("\r\n").append(json));
}

bool Client::more(int limit_ms, Reply::End& end) {
  pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, limit_ms) <= 0) return end = Reply::End::silent, false;
  char bytes[4096];
  const ssize_t got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) return end = got == 0 ? Reply::End::closed : Reply::End::reset, false;
  buffer_.append(bytes, static_cast<size_t>(got));
  return true;
}

bool Client::line(std::string& out, int limit_ms, Reply::End& end) {
  size_t at = 0;
  while ((at = buffer_.find("\r\n")) == buffer_.npos) {
    if (!more(limit_ms, end)) return false;
  }
  out = buffer_.substr(0, at);
  buffer_.erase(0, at + 2);
  return true;
}

bool Client::exactly(size_t size, std::string& out, int limit_ms, Reply::End& end) {
  while (buffer_.size() < size) {
    if (!more(limit_ms, end)) return false;
  }
  out = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return true;
}

Reply Client::read(int limit_ms) {
  Reply reply;
  std::string text;
  while (line(text, limit_ms, reply.end)) {
    reply.head += text + "\r\n";
    if (text.empty()) break;
  }
  if (!reply.head.ends_with("\r\n\r\n")) return reply;
  reply.status = std::stoi(reply.head.substr(9, 3));
  if (reply.status == 100) return reply.end = Reply::End::complete, reply;
  const size_t length = reply.head.find("content-length: ");
  if (length != reply.head.npos) {
    if (exactly(std::stoul(reply.head.substr(length + 16)), reply.body, limit_ms, reply.end))
      reply.end = Reply::End::complete;
    return reply;
  }
  while (line(text, limit_ms, reply.end)) {
    const size_t size = std::stoul(text, nullptr, 16);
    std::string chunk;
    if (!exactly(size + 2, chunk, limit_ms, reply.end)) break;
    if (size == 0) {
      reply.end = Reply::End::complete;
      break;
    }
    reply.chunks.push_back(chunk.substr(0, size));
    reply.body += reply.chunks.back();
  }
  for (size_t at = 0; (at = reply.body.find("data: ", at)) != reply.body.npos;) {
    const size_t end = reply.body.find_first_of("\r\n", at);
    reply.events.push_back(reply.body.substr(at + 6, end - at - 6));
    at = std::min(end, reply.body.size());
  }
  return reply;
}

Reply::End Client::read_end(int limit_ms) {
  Reply::End end = Reply::End::silent;
  while (more(limit_ms, end)) {
  }
  return end;
}

Reply post(uint16_t port, std::string_view path, std::string_view json, std::string_view headers,
           int limit_ms) {
  Client client(port);
  client.post(path, json, headers);
  return client.read(limit_ms);
}

Reply get(uint16_t port, std::string_view path, std::string_view headers) {
  Client client(port);
  std::string request = "GET " + std::string(path) + " HTTP/1.1\r\nHost: sim\r\n";
  client.send(request.append(headers).append("\r\n"));
  return client.read();
}

std::map<int64_t, std::string> texts(const Reply& reply, std::string_view key) {
  std::map<int64_t, std::string> out;
  for (const std::string& event : reply.events) {
    tkm::JsonDocument json;
    if (!tkm::parse_json(event, json)) continue;
    const auto* choices = tkm::find(json, "choices");
    if (choices == nullptr || !choices->IsArray() || choices->Empty()) continue;
    const auto& choice = (*choices)[0];
    const auto* delta = tkm::find(choice, "delta");
    out[tkm::get_int(choice, "index")] += tkm::get_string(delta != nullptr ? *delta : choice, key);
  }
  return out;
}

std::string normal(std::string event) {
  const std::pair<const char*, const char*> rules[] = {
      {R"("id":"[^"]*")", R"("id":"ID")"},
      {R"("created":[0-9]+)", R"("created":0)"},
      {R"("model":"[^"]*")", R"("model":"M")"},
      {R"("content":"[^"]+")", R"("content":"T")"},
      {R"("text":"[^"]+")", R"("text":"T")"},
      {R"(,"tkm":"[0-9a-f]{32}")", ""},
      {R"("system_fingerprint":"[^"]*")", R"("system_fingerprint":"F")"}};
  for (const auto& [pattern, with] : rules) event = std::regex_replace(event, std::regex(pattern), with);
  return event;
}

}  // namespace tokometer::sim
