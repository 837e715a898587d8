// The Anthropic messages API: named events, content in blocks, and a key that travels as x-api-key.
#include <tokometer/json.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/sse.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

// `auth` says how target.api_key travels: the core puts it there, masks it everywhere, and never shows it to
// a plugin.
constexpr auto kProfile = R"({"profile":1,
"features":["proto.http","reply.whole","reply.stream","form.chat","form.text","route.model","channel.reasoning","channel.tools"],
"auth":{"header":"x-api-key","prefix":""},
"models":{"get":"/v1/models","headers":{"anthropic-version":"2023-06-01"},"names":"/data/*/id"}})";

class Reply {
 public:
  Reply(tkm::JsonScratch& json, bool is_stream) : json_(json), is_stream_(is_stream) {}

  // For SseReader, with the sink of this call.
  struct Sink {
    Reply& reply;
    tkm::Events& events;
    void event(std::string_view, std::string_view data) { reply.event(data, events); }
    void keep_alive() { events.keep_alive(); }
    void stray_line(std::string_view) {}
    void too_long(std::string_view what) {
      reply.complaints_.fail(TKM_FAIL_FORMAT, "limit: too long: " + std::string(what), events);
    }
  };

  tkm_status head(const tkm_head& head, tkm::Events&) {
    status_ = head.http_status;
    return is_stream_ && status_ == 200 ? TKM_OK : TKM_COLLECT;
  }

  void data(std::string_view bytes, tkm::Events& events) {
    if (status_ != 200) return rejected(bytes, events);
    if (!is_stream_) return event(bytes, events);
    Sink sink{*this, events};
    reader_.feed(bytes, sink);
  }

  void end(const tkm_end&, tkm::Events& events) {
    if (status_ != 200) rejected({}, events);
  }

 private:
  void rejected(std::string_view body, tkm::Events& events) {
    if (!complaints_.has_failed())
      complaints_.fail(tkm::fault_of_status(status_, json_.parse(body), body), events);
  }

  // The type in the data is that of the event's name; a whole reply is of type "message".
  void event(std::string_view text, tkm::Events& events) {
    if (complaints_.has_failed()) return;
    const tkm::Json* root = json_.parse(text);
    if (root == nullptr || !root->IsObject())
      return complaints_.fail(TKM_FAIL_FORMAT, "an event that is no JSON object", text, events);
    const std::string_view type = tkm::get_string(*root, "type");
    if (type == "error") return complaints_.fail(*tkm::find_fault(*root, true), events);
    if (type == "message") return whole(*root, events);
    if (type == "ping") return events.keep_alive();
    if (type == "message_start") events.began(), usage(tkm::find(*root, "message"), events);
    if (type == "content_block_delta") delta(tkm::find(*root, "delta"), events);
    if (type == "message_delta") finish(tkm::find(*root, "delta"), events), usage(root, events);
    if (type == "message_stop") events.done();
  }

  void whole(const tkm::Json& root, tkm::Events& events) {
    const tkm::Json* blocks = tkm::find(root, "content");
    if (blocks != nullptr && blocks->IsArray()) {
      for (const tkm::Json& block : blocks->GetArray()) delta(&block, events);
    }
    finish(&root, events);
    usage(&root, events);
    events.done();
  }

  // A piece of a block, or a block of a whole reply: the member tells the channel.
  static void delta(const tkm::Json* from, tkm::Events& events) {
    constexpr std::array<std::pair<const char*, int32_t>, 3> kPieces{{{"text", TKM_CHANNEL_TEXT},
                                                                      {"thinking", TKM_CHANNEL_REASONING},
                                                                      {"partial_json", TKM_CHANNEL_TOOL}}};
    for (const auto& [key, channel] : kPieces) {
      const std::string_view text = from == nullptr ? std::string_view() : tkm::get_string(*from, key);
      if (!text.empty()) events.delta({.text = text, .channel = channel});
    }
  }

  static void finish(const tkm::Json* from, tkm::Events& events) {
    const std::string_view word =
        from == nullptr ? std::string_view() : tkm::get_string(*from, "stop_reason");
    if (word.empty()) return;
    const int32_t reason = word == "end_turn" || word == "stop_sequence" ? TKM_FINISH_STOP
                           : word == "max_tokens"                        ? TKM_FINISH_LENGTH
                           : word == "tool_use"                          ? TKM_FINISH_TOOL
                           : word == "refusal"                           ? TKM_FINISH_FILTER
                                                                         : TKM_FINISH_OTHER;
    events.finish(0, reason, word);
  }

  // Prompt tokens come at the start, output tokens at the end; what the cache gave is not in input_tokens.
  void usage(const tkm::Json* from, tkm::Events& events) {
    const tkm::Json* said = from == nullptr ? nullptr : tkm::find(*from, "usage");
    if (said == nullptr) return;
    if (const int64_t input = tkm::get_int(*said, "input_tokens", -1); input >= 0) {
      cached_ = tkm::get_int(*said, "cache_read_input_tokens", 0);
      prompt_ = input + cached_ + tkm::get_int(*said, "cache_creation_input_tokens", 0);
    }
    events.usage({.prompt_tokens = prompt_,
                  .cached_tokens = cached_,
                  .output_tokens = tkm::get_int(*said, "output_tokens", -1)});
  }

  tkm::JsonScratch& json_;
  tkm::SseReader reader_;
  tkm::Complaints complaints_;
  int64_t prompt_ = -1, cached_ = -1;
  int32_t status_ = 0;
  bool is_stream_;
};

class Anthropic {
 public:
  static constexpr auto kId = "anthropic", kSummary = "the Anthropic messages API";
  static constexpr std::array kCapabilities{"proto.http",        "reply.whole",  "reply.stream",
                                            "form.chat",         "form.text",    "route.model",
                                            "channel.reasoning", "channel.tools"};

  std::string describe() const { return kProfile; }
  Reply open(const tkm_prompt& prompt) { return {*json_, prompt.reply == TKM_REPLY_STREAM}; }

  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    refuse(prompt);
    body_.clear();
    tkm::JsonWriter json(body_);
    json.begin_object().member("model", tkm::view(prompt.model)).member("max_tokens", prompt.output_tokens);
    json.member("stream", prompt.reply == TKM_REPLY_STREAM).key("messages").begin_array();
    std::string system;
    if (prompt.form == TKM_FORM_TEXT) write(json, "user", tkm::view(prompt.text));
    for (const tkm_message& message : tkm::messages(prompt)) {
      if (message.part_count != 1 || message.parts[0].kind != TKM_PART_TEXT || message.extra.size > 0)
        throw tkm::unsupported("a message that is not one text");
      const std::string_view role = tkm::view(message.role), text = tkm::view(message.parts[0].data);
      if (role == "system") {
        system.append(system.empty() ? "" : "\n\n").append(text);  // stands beside the messages
      } else {
        write(json, role, text);
      }
    }
    json.end_array();
    if (!system.empty()) json.member("system", system);
    write_sampling(json, tkm::view(prompt.sampling));
    json.end_object();
    out.http("POST", "/v1/messages");
    out.header("content-type", "application/json");
    out.header("anthropic-version", "2023-06-01");
    out.body(body_);
  }

 private:
  static void refuse(const tkm_prompt& prompt) {
    if (prompt.task != TKM_TASK_GENERATE)
      throw tkm::unsupported("this processor generates text, nothing else");
    if (prompt.form == TKM_FORM_TOKENS) throw tkm::unsupported("the messages API takes text, no token ids");
    if (prompt.output_tokens < 0)
      throw tkm::unsupported("the messages API needs a length: set request.output_tokens");
    if (prompt.output_mode == TKM_OUTPUT_EXACT)
      throw tkm::unsupported("the messages API has no exact length");
    if (prompt.choices > 1) throw tkm::unsupported("the messages API gives one answer");
    if (prompt.adapter.size + prompt.cache_salt.size > 0)
      throw tkm::unsupported("no adapters and no cache salts here");
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

  static void write_sampling(tkm::JsonWriter& json, std::string_view sampling) {
    tkm::JsonDocument root;
    if (sampling.empty()) return;
    if (!tkm::parse_json(sampling, root) || !root.IsObject())
      throw tkm::input_error("sampling is no JSON object");
    for (const auto& member : std::as_const(root).GetObject()) {
      const std::string_view name = tkm::text_of(member.name);
      if (name != "temperature" && name != "top_p" && name != "top_k")
        throw tkm::unsupported("sampling \"" + std::string(name) + "\": the messages API has no such member");
      json.key(name).value(member.value);
    }
  }

  std::unique_ptr<tkm::JsonScratch> json_ = std::make_unique<tkm::JsonScratch>();
  std::string body_;
};

}  // namespace

TKM_MODULE("anthropic", "0.1.0", "Apache-2.0", tkm::processor<Anthropic>());
