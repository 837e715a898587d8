// What a run file may say to the processor `triton`. Read by all of its parts; plain values.
#pragma once

#include <tokometer/options.hpp>

#include <string>

namespace triton {

// Names of tensors, where the model has other ones than Triton's vLLM and TensorRT-LLM models have. Empty:
// found out from the model's metadata.
struct TensorNames {
  std::string prompt = {}, max_tokens = {}, min_tokens = {}, stream = {}, text = {};

  static void options(tkm::OptionSet<TensorNames>& set) {
    set.add("prompt", &TensorNames::prompt)
        .help("input, BYTES: the prompt (text_input)")
        .example("\"PROMPT\"");
    set.add("max_tokens", &TensorNames::max_tokens).help("input, a whole number: the longest answer");
    set.add("min_tokens", &TensorNames::min_tokens).help("input, a whole number: the shortest answer");
    set.add("stream", &TensorNames::stream).help("input, BOOL: token by token");
    set.add("text", &TensorNames::text).help("output, BYTES: the answer (text_output)").example("\"OUTPUT\"");
  }
};

struct Options {
  std::string api = "generate";
  std::string accumulate = "auto";
  TensorNames tensors;

  static void options(tkm::OptionSet<Options>& set) {
    set.add("api", &Options::api)
        .one_of({"generate", "chat", "completions", "grpc"})
        .help(
            "generate: /v2/models/M/generate_stream and /generate; chat, completions: the OpenAI frontend, "
            "a program of its own on port 9000; grpc: ModelStreamInfer and ModelInfer of KServe, on port "
            "8001");
    set.add("accumulate", &Options::accumulate)
        .one_of({"auto", "yes", "no"})
        .help(
            "yes: each response holds the whole text so far (accumulate_tokens); auto: by the model's "
            "tensors");
    set.add("tensors", &Options::tensors).help("names of tensors that are not the usual ones");
  }
};

}  // namespace triton
