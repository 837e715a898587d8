// A processor on the bench: made from the subject's options, taught what its author recorded, its profile
// read; and prompts in a few words. Used by the tests of processors and responses.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "check/subject.hpp"
#include "plugin/handles.hpp"
#include "plugin/profile.hpp"

namespace tokometer::check {

// A prompt, as far as tests vary it.
struct Ask {
  int32_t task = TKM_TASK_GENERATE, form = TKM_FORM_CHAT, reply = TKM_REPLY_STREAM;
  std::string text = "What does the tide do at noon?";  // CHAT: of the only message, or of each
  int32_t part_kind = TKM_PART_TEXT;
  std::vector<int32_t> tokens = {11, 12, 13, 14};
  std::string model = "a-model", adapter = {}, cache_salt = {}, sampling = {}, extra = {};
  uint32_t choices = 1;
  int64_t output_tokens = 16;
  int32_t output_mode = TKM_OUTPUT_AT_MOST;
  uint64_t request_id = 1;
};

// What encode() made of it.
struct Encoded {
  tkm_status status = TKM_OK;
  std::string sentence;  // of a negative status
  std::string fault;     // the first rule of the request sink that was broken; empty: a valid request
  std::string head;      // method, path and headers, a line each
  std::string content_type, body;
  bool is_json() const { return content_type.starts_with("application/json"); }
  bool is_good() const { return status == TKM_OK && fault.empty(); }
  std::string bytes() const { return head + "\n" + body; }
};

class ProcessorBench {
 public:
  // Errors: it cannot be made, taught, or its profile is no profile.
  static Result<ProcessorBench> make(const Subject& subject);

  Processor& processor() { return processor_; }
  const Profile& profile() const { return profile_; }
  bool has(std::string_view feature) const { return profile_.has_feature(feature); }

  // A prompt that this processor should take, by its features.
  Ask plain() const;
  // newer_host_bytes: so much larger is the tkm_prompt of a host of tomorrow.
  Encoded encode(const Ask& ask, uint32_t newer_host_bytes = 0);

 private:
  ProcessorBench(Processor processor, Profile profile, bool own_auth)
      : processor_(std::move(processor)), profile_(std::move(profile)), own_auth_(own_auth) {}
  Processor processor_;
  Profile profile_;
  bool own_auth_;
};

// A bench on which a plain prompt becomes a request, and the same one each time.
struct UsableBench {
  std::optional<ProcessorBench> it;
  Finding problem;  // a skip that names the test that fails, if there is none
};
UsableBench usable_bench(const Subject& subject);

// "the body is no valid JSON (byte 7)"; nothing: it is, or says that it is something else.
std::optional<std::string> fault_of_body(const Encoded& it);

// Made and taught, the profile not looked at.
Result<Processor> make_processor(const Subject& subject);

}  // namespace tokometer::check
