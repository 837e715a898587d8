// What authors keep beside a plugin for `plugin check --fixtures DIR`: recorded responses with the events
// expected, and setup.json with the options of components that need some. The format: docs/plugins.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace tokometer::check {

// One response and what the processor is told about its request.
struct Response {
  bool is_stream = true;
  uint32_t choices = 1;
  uint32_t inputs = 0;  // messages of the request; 0: it is one text
  std::string model = {}, adapter = {};
  int32_t status = 200;
  std::vector<std::pair<std::string, std::string>> headers = {};  // lower-case names
  std::string body = {};
  std::vector<size_t> message_ends = {};  // gRPC: where each message ends in the body
  int32_t grpc_status = -1;               // -1: HTTP
  bool has_clean_end = true;
};

struct Fixture {
  std::string name;       // the file's, without .events.json
  std::string component;  // empty: the module's only processor
  Response response;
  std::string expected;  // one line an event, as Played::events has them
};

struct Learned {
  std::string probe;
  int32_t status = 200;
  std::string body;
};

struct Setup {
  std::string options_json = {};  // empty: none given
  std::vector<Learned> learned = {};
};

struct Fixtures {
  std::string folder;
  std::vector<Fixture> responses;      // by name
  std::map<std::string, Setup> setup;  // by component
};

// Errors name the file and what is wrong in it.
Result<Fixtures> read_fixtures(const std::string& folder);

}  // namespace tokometer::check
