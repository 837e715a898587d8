// Plays the host for a processor: asks it for requests, feeds it responses cut in any way, and writes down
// what it says, one line an event, as in the fixtures' events.json. For tests; not for two threads at once.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace processor_test {

struct Response {
  bool is_stream = true;
  uint32_t choices = 1;
  uint32_t inputs = 1;  // messages of the request
  std::string model = {};
  std::string adapter = {};
  int32_t status = 200;
  std::string content_type = "text/event-stream";
  bool has_clean_end = true;
  std::string body = {};
};

// Where to cut: given the bytes that are left, how many come next (at least 1).
using Cut = std::function<size_t(size_t left)>;
Cut whole();
Cut pieces_of(size_t bytes);
Cut at(size_t first);         // [0, first) and the rest
Cut randomly(uint64_t seed);  // 1 to 300 bytes

struct Request {
  tkm_status status = TKM_OK;
  std::string error;  // the sentence of a negative status
  std::string method, path, body;
  std::vector<std::pair<std::string, std::string>> headers;
};

class Processor {
 public:
  // `options`: canonical JSON.
  Processor(const tkm_component* component, std::string_view options);
  ~Processor();
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  std::string profile();
  void learn(std::string_view probe, std::string_view body);
  Request encode(const tkm_prompt& prompt);
  // The events, each with LF at its end; "status N: sentence" where the plugin itself failed.
  std::string events(const Response& response, const Cut& cut);

 private:
  const tkm_processor_ops* ops_;
  tkm_processor* handle_ = nullptr;
};

// The lines that a fixture's events.json asks for, and the response it is about (with the body of NAME.body).
struct Fixture {
  std::string name, expected;
  Response response;
};
std::vector<Fixture> read_fixtures(const std::string& folder);
// The same events whole, byte by byte, cut at random, and split at every point.
void check_in_all_cuts(Processor& processor, const std::vector<Fixture>& fixtures);
std::string read_text(const std::string& path);

}  // namespace processor_test
