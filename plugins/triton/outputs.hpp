// What the responses to one request say, told as events: over HTTP and over gRPC they hold the same outputs.
//
//   token   text, or a count of new tokens above 0; empty text alone is none
//   count   num_output_tokens, which is of one response alone
//
// Part of a reply.
#pragma once

#include <tokometer/openai/complaints.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace triton {

class Outputs {
 public:
  struct Response {
    std::string_view text;
    int64_t tokens = -1, prompt_tokens = -1;  // -1: not given
    std::string_view reason;                  // finish_reason; "None": not yet
  };

  // is_cumulative: the text is all so far.
  void take(Response response, bool is_cumulative, tkm::Complaints& complaints, tkm::Events& events);
  // The server says that the answer is complete.
  void end(tkm::Events& events);
  // The body has ended, which may mean less: a model that tells reasons has not finished without one.
  void end_of_body(tkm::Events& events);

 private:
  bool take_new(std::string_view& text, tkm::Complaints& complaints, tkm::Events& events);
  void count(int64_t prompt_tokens, int64_t tokens, tkm::Events& events);
  void finish(std::string_view word, tkm::Events& events);

  std::string so_far_;  // of cumulative text
  int64_t output_tokens_ = -1;
  bool has_tokens_ = false, has_reason_ = false, is_finished_ = false;
};

}  // namespace triton
