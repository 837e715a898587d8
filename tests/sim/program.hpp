// The simulator as a child process, and a raw-socket client to talk to it: an independent reader of HTTP
// chunks that shares nothing with the program under test. Used by the tests of this folder; blocking, with a
// limit on every wait.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "sim/truth_log.hpp"

namespace tokometer::sim {

// A folder that is gone with it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class SimProgram {
 public:
  // With a truth log in a scratch folder, unless `flags` name one.
  explicit SimProgram(std::vector<std::string> flags = {});
  ~SimProgram();  // a program that still runs must end well (a sanitizer's report is no good end)
  uint16_t port() const { return port_; }
  ChildProcess& process() { return *process_; }
  int stop();  // SIGTERM; its exit status

  // Of the truth log; call stop() first, or know that the rows in question were written.
  std::vector<TruthRow> rows() const;
  std::vector<std::string> lines() const;
  const std::filesystem::path& truth() const { return folder_.path(); }

 private:
  ScratchFolder folder_;
  std::unique_ptr<ChildProcess> process_;
  uint16_t port_ = 0;
};

struct Reply {
  enum class End { complete, closed, reset, silent };  // silent: nothing more came within the limit
  int status = 0;
  std::string head;                 // with its blank line
  std::string body;                 // without chunk framing
  std::vector<std::string> chunks;  // of a chunked body; the last, empty one is not there
  std::vector<std::string> events;  // the body's "data: " payloads
  End end = End::silent;
};

class Client {
 public:
  explicit Client(uint16_t port);
  ~Client();
  Client(const Client&) = delete;

  void send(std::string_view bytes);
  // Sends a POST with a JSON body; `headers`: complete lines.
  void post(std::string_view path, std::string_view json, std::string_view headers = {});
  // The next reply on this connection. `limit_ms`: of each wait for bytes.
  Reply read(int limit_ms = 5000);
  // Waits for the end of the connection: closed, reset or silent.
  Reply::End read_end(int limit_ms = 5000);

 private:
  bool more(int limit_ms, Reply::End& end);
  bool line(std::string& out, int limit_ms, Reply::End& end);
  bool exactly(size_t size, std::string& out, int limit_ms, Reply::End& end);

  int fd_;
  std::string buffer_;
};

// One request on a connection of its own.
Reply post(uint16_t port, std::string_view path, std::string_view json, std::string_view headers = {},
           int limit_ms = 5000);
Reply get(uint16_t port, std::string_view path, std::string_view headers = {});

// The text of all "content" (or "text", "reasoning") values, by choice, in order.
std::map<int64_t, std::string> texts(const Reply& reply, std::string_view key);

// An event with its changing parts made equal: id, created, model, text, stamp.
std::string normal(std::string event);

inline constexpr std::string_view kChat = "/v1/chat/completions", kCompletions = "/v1/completions";

}  // namespace tokometer::sim
