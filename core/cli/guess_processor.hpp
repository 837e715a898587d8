// Which processor fits a server that nobody described: over HTTP the one that knows most of its metrics page,
// over gRPC one that speaks it and gets an answer. Asks the server; blocking.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "config/run_file.hpp"
#include "plugin/registry.hpp"

namespace tokometer {

struct ProcessorGuess {
  std::string use = "openai";
  std::optional<std::pair<std::string, std::string>> option;  // and its word, where the default is another
};

// For the first of the target's URLs.
ProcessorGuess guess_processor(Registry& registry, const RunFile& file);

// As a run file says it: "vllm", or "{use: triton, options: {api: grpc}}" with the words of a choice that are
// not the default.
std::string processor_text(const Component& component, std::string_view options_json);

}  // namespace tokometer
