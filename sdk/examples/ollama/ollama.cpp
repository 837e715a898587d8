// Ollama's own chat API, which streams a JSON object a line: a backend that is not like OpenAI's.
#include <tokometer/json.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

// Named profile keys do the rest: the model list, the version in the report, where the server listens.
constexpr auto kProfile = R"({"profile":1,
"features":["proto.http","reply.whole","reply.stream","form.chat","form.text","route.model","channel.reasoning"],
"ports":{"http":11434},
"ready":[{"get":"/api/version"}],
"info":[{"id":"version","get":"/api/version"}],
"models":{"get":"/api/tags","names":"/models/*/name"},
"request_metrics":{"load_duration":{"unit":"ns","help":"loading the model","better":"lower"},
                   "prompt_eval_duration":{"unit":"ns","help":"reading the prompt","better":"lower"},
                   "eval_duration":{"unit":"ns","help":"generating","better":"lower"}}})";

// One reply, streamed or whole: both are lines of JSON, the last of which says done.
class Reply {
 public:
  explicit Reply(tkm::JsonScratch& json) : json_(json) {}

  void head(const tkm_head& head, tkm::Events&) { status_ = head.http_status; }

  void data(std::string_view bytes, tkm::Events& events) {
    if (status_ != 200) return rejected(bytes, events);
    for (size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
      if (line_.empty()) {
        line(bytes.substr(0, end), events);  // the common case: a whole line, read in place
      } else {
        line(line_.append(bytes.substr(0, end)), events);
        line_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
    line_.append(bytes);
  }

  void end(const tkm_end&, tkm::Events& events) {
    if (status_ != 200) return rejected({}, events);
    line(line_, events);  // a whole reply has no LF at its end
  }

 private:
  void rejected(std::string_view body, tkm::Events& events) {
    if (!complaints_.has_failed())
      complaints_.fail(tkm::fault_of_status(status_, json_.parse(body), body), events);
  }

  void line(std::string_view text, tkm::Events& events) {
    if (complaints_.has_failed() || text.find_first_not_of(" \t\r") == text.npos) return;
    const tkm::Json* root = json_.parse(text);
    if (root == nullptr || !root->IsObject())
      return complaints_.fail(TKM_FAIL_FORMAT, "a line that is no JSON object", text, events);
    if (const auto fault = tkm::find_fault(*root, false)) return complaints_.fail(*fault, events);
    if (const tkm::Json* message = tkm::find(*root, "message")) {
      say(TKM_CHANNEL_REASONING, tkm::get_string(*message, "thinking"), events);
      say(TKM_CHANNEL_TEXT, tkm::get_string(*message, "content"), events);
    }
    if (tkm::get_bool(*root, "done")) last(*root, events);
  }

  static void say(int32_t channel, std::string_view text, tkm::Events& events) {
    if (!text.empty()) events.delta({.text = text, .channel = channel});
  }

  static void last(const tkm::Json& root, tkm::Events& events) {
    for (const char* name : {"load_duration", "prompt_eval_duration", "eval_duration"}) {
      if (tkm::find(root, name) != nullptr) events.metric(name, tkm::get_number(root, name));
    }
    events.usage({.prompt_tokens = tkm::get_int(root, "prompt_eval_count", -1),
                  .output_tokens = tkm::get_int(root, "eval_count", -1)});
    const std::string_view word = tkm::get_string(root, "done_reason", "stop");
    events.finish(0,
                  word == "length" ? TKM_FINISH_LENGTH
                  : word == "stop" ? TKM_FINISH_STOP
                                   : TKM_FINISH_OTHER,
                  word);
    events.done();
  }

  tkm::JsonScratch& json_;
  tkm::Complaints complaints_;
  std::string line_;  // unfinished
  int32_t status_ = 0;
};

class Ollama {
 public:
  static constexpr auto kId = "ollama", kSummary = "Ollama's own chat API";
  static constexpr std::array kCapabilities{"proto.http", "reply.whole", "reply.stream",     "form.chat",
                                            "form.text",  "route.model", "channel.reasoning"};

  std::string describe() const { return kProfile; }
  Reply open(const tkm_prompt&) { return Reply(*json_); }

  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    refuse(prompt);
    body_.clear();
    tkm::JsonWriter json(body_);
    json.begin_object().member("model", tkm::view(prompt.model)).key("messages").begin_array();
    if (prompt.form == TKM_FORM_TEXT) write(json, "user", tkm::view(prompt.text));
    for (const tkm_message& message : tkm::messages(prompt)) {
      if (message.part_count != 1 || message.parts[0].kind != TKM_PART_TEXT || message.extra.size > 0)
        throw tkm::unsupported("a message that is not one text");
      write(json, tkm::view(message.role), tkm::view(message.parts[0].data));
    }
    json.end_array().member("stream", prompt.reply == TKM_REPLY_STREAM).key("options").begin_object();
    if (prompt.output_tokens >= 0) json.member("num_predict", prompt.output_tokens);
    write_sampling(json, tkm::view(prompt.sampling));
    json.end_object().end_object();
    out.http("POST", "/api/chat");
    out.header("content-type", "application/json");
    out.body(body_);
  }

 private:
  // What Ollama cannot be told is an error, never left out.
  static void refuse(const tkm_prompt& prompt) {
    if (prompt.task != TKM_TASK_GENERATE)
      throw tkm::unsupported("this processor generates text, nothing else");
    if (prompt.form == TKM_FORM_TOKENS) throw tkm::unsupported("Ollama takes text, no token ids");
    if (prompt.output_mode == TKM_OUTPUT_EXACT)
      throw tkm::unsupported("Ollama cannot be asked for an exact length");
    if (prompt.choices > 1) throw tkm::unsupported("Ollama gives one answer");
    if (prompt.adapter.size + prompt.cache_salt.size > 0)
      throw tkm::unsupported("Ollama has no adapters or cache salts");
    if (has_members(tkm::view(prompt.extra)))
      throw tkm::unsupported("request.extra: this processor merges nothing");
  }

  static bool has_members(std::string_view json) {
    tkm::JsonDocument root;
    if (json.empty()) return false;
    return !tkm::parse_json(json, root) || !root.IsObject() || root.MemberCount() > 0;
  }

  static void write(tkm::JsonWriter& json, std::string_view role, std::string_view text) {
    json.begin_object().member("role", role).member("content", text).end_object();
  }

  // OpenAI's names are Ollama's, too.
  static void write_sampling(tkm::JsonWriter& json, std::string_view sampling) {
    constexpr std::array<std::string_view, 7> kKnown{"temperature", "top_p", "top_k",         "min_p",
                                                     "seed",        "stop",  "repeat_penalty"};
    tkm::JsonDocument root;
    if (sampling.empty()) return;
    if (!tkm::parse_json(sampling, root) || !root.IsObject())
      throw tkm::input_error("sampling is no JSON object");
    for (const auto& member : std::as_const(root).GetObject()) {
      const std::string_view name = tkm::text_of(member.name);
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
        throw tkm::unsupported("sampling \"" + std::string(name) + "\": Ollama has no such option");
      json.key(name).value(member.value);
    }
  }

  std::unique_ptr<tkm::JsonScratch> json_ = std::make_unique<tkm::JsonScratch>();
  std::string body_;
};

}  // namespace

TKM_MODULE("ollama", "0.1.0", "Apache-2.0", tkm::processor<Ollama>());
