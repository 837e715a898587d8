// One response of an OpenAI-like server, streamed or whole, turned into events: what a processor's open()
// returns. Framing, end marks and errors are in json_reply.hpp; what a chunk says is in completion.hpp, what
// a fault looks like in fault.hpp.
//
//   faults    those of JsonReply; impossible meaning: TKM_FAIL_SEMANTICS
//   warnings  those of JsonReply; usage_bad, wrong_model; each once a response
//
// It lives as long as its response and refers to the OpenAiShared of its processor instance. Per event it
// allocates nothing once warm; its size is below 192 bytes, and the unfinished event is all that it keeps
// beside.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/json_reply.hpp>
#include <tokometer/openai/completion.hpp>
#include <tokometer/openai/event_shape.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/openai/model_names.hpp>
#include <tokometer/openai/unescape.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

// What the replies of one processor instance have in common. One I/O thread uses it.
struct OpenAiShared {
  using Asked = std::pair<const std::string, uint32_t>;  // the name of a model or adapter, and its number

  // Stable as long as this lives.
  const Asked* number_of(std::string_view model) {
    const auto found = asked.find(model);
    if (found != asked.end()) return &*found;
    return &*asked.emplace(model, static_cast<uint32_t>(asked.size())).first;
  }

  // False: a reply of another model than asked for, as far as one can know.
  bool is_answer_of(std::string_view wanted, std::string_view answered, bool is_adapter) const {
    if (answered.empty() || wanted.empty() || answered == wanted) return true;
    return !is_adapter && models.may_answer(wanted, answered);
  }

  JsonScratch json;
  EventShapes shapes;
  std::map<std::string, uint32_t, std::less<>> asked;  // what requests asked for
  std::string text;                                    // the unescaped text of the chunk at hand
  ModelNames models;                                   // what the server said it has
  std::vector<std::string> metrics;                    // which numbers of a chunk's metrics are told
};

class OpenAiReply : public JsonReply<OpenAiReply> {
 public:
  // `model`: as the request names it.
  OpenAiReply(OpenAiShared& shared, const tkm_prompt& prompt, std::string_view model)
      : JsonReply(prompt),
        shared_(shared),
        completion_(prompt.choices),
        asked_(shared.number_of(model)),
        is_adapter_(prompt.adapter.size > 0) {}

 private:
  friend JsonReply;

  JsonScratch& scratch() { return shared_.json; }

  // What else than its bytes a chunk's meaning depends on: the model that it should be of, and what has been
  // complained of already.
  uint64_t context() const {
    return uint64_t{asked_->second} << 9u | uint64_t{is_adapter_} << 8u | complaints().warned();
  }

  // The common case: a chunk like one before, of this reply or another.
  bool read_known(std::string_view data, Events& events) {
    const auto found = shared_.shapes.find(data, context(), shape_);
    if (!found) return false;
    const EventShape::Match& match = found->match;
    const auto text = match.is_escaped ? unescape(match.escaped, shared_.text) : std::optional(match.escaped);
    return text && completion_.read_known(found->shape, match, *text, events);
  }

  void read(const Json& root, std::string_view text, Events& events) {
    check_model(get_string(root, "model"), events);
    const ChunkMeaning meaning = completion_.read(root, shared_.metrics, complaints(), events);
    if (meaning.is_plain && is_streaming())
      shared_.shapes.learn(text, meaning, get_string(root, "id"), context());
  }

  void after_fault(const Json& root, Events& events) {
    completion_.read_usage_only(root, complaints(), events);
  }

  void check_model(std::string_view answered, Events& events) {
    if (shared_.is_answer_of(asked_->first, answered, is_adapter_)) return;
    complaints().warn(Complaints::kWrongModel, answered, events);
  }

  OpenAiShared& shared_;
  CompletionReader completion_;
  const OpenAiShared::Asked* asked_;
  uint8_t shape_ = 0;  // where the last one was found
  bool is_adapter_;
};

static_assert(sizeof(OpenAiReply) <= 192, "many thousands are open at once");

}  // namespace tkm
