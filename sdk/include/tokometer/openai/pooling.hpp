// Embeddings and rankings: POST /v1/embeddings and /v1/rerank (or what else a server has for it), one answer
// with no text in it. Each message of a prompt is one input; of a ranking the first is the query, the others
// its documents. A text or token ids are one input of an embedding.
//
//   finish  when as many vectors or scores came as inputs were sent; else TKM_FAIL_SEMANTICS
//   usage   tokens of the inputs; no output token
//
// A request is built by one PoolingRequest a processor instance; a PoolingReply lives as long as its response
// and refers to the OpenAiShared of that instance.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/json_reply.hpp>
#include <tokometer/openai/added_members.hpp>
#include <tokometer/openai/choice_news.hpp>
#include <tokometer/openai/reply.hpp>
#include <tokometer/openai/usage.hpp>
#include <tokometer/plugin.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tkm {

// How a server is asked for a ranking, and how it answers. It must outlive all that is built with it.
struct RankDialect {
  const char* api = "api: rerank";
  const char* path = "/v1/rerank";
  const char* documents = "documents";
  const char* results = "results";  // null: the reply is the list itself, usage in each result's meta_info
  const char* score = "relevance_score";
  bool has_model = true;         // the request says which
  bool has_text_object = false;  // {"text": "..."} in place of each text
};
inline constexpr RankDialect kVllmRanks{};

class PoolingRequest {
 public:
  explicit PoolingRequest(const RankDialect& ranks) : ranks_(ranks) {}

  std::string_view path(int32_t task) const { return task == TKM_TASK_RANK ? ranks_.path : "/v1/embeddings"; }

  // The body; valid until the next call. `task`: the one that this instance does. Throws Error.
  const std::string& build(const tkm_prompt& prompt, std::string_view model, int32_t task) {
    check(prompt, task);
    body_.clear();
    JsonWriter json(body_);
    json.begin_object();
    if (!model.empty() && (task != TKM_TASK_RANK || ranks_.has_model)) json.member("model", model);
    if (task == TKM_TASK_RANK) {
      write_documents(prompt, json);
    } else {
      write_input(prompt, json);
    }
    json.raw_members(view(prompt.extra)).end_object();
    return body_;
  }

 private:
  void check(const tkm_prompt& prompt, int32_t task) {
    using request_detail::is_one_of;
    if (prompt.task != task) throw unsupported(std::string(api(task)) + " does this and nothing else");
    if (prompt.choices > 1)
      throw unsupported("several choices: " + std::string(api(task)) + " gives one answer");
    if (prompt.cache_salt.size > 0)
      throw unsupported("a cache salt: " + std::string(api(task)) + " has none");
    if (prompt.adapter.size > 0 && task == TKM_TASK_RANK && !ranks_.has_model)
      throw unsupported("an adapter: " + std::string(api(task)) + " of this server has none");
    if (prompt.output_mode == TKM_OUTPUT_EXACT)
      throw unsupported("an exact output length: " + std::string(api(task)) + " generates nothing");
    const auto is_taken = [this](std::string_view name) {
      return is_one_of(name, {"model", "input", "query", ranks_.documents});
    };
    added_.check(prompt, is_taken, [](std::string_view) { return false; });
  }

  std::string_view api(int32_t task) const { return task == TKM_TASK_RANK ? ranks_.api : "api: embeddings"; }

  static std::string_view input_of(const tkm_message& message) {
    if (message.part_count != 1) throw unsupported("an input of several parts: each must be one text");
    return request_detail::text_of_part(message.parts[0]);
  }

  static void write_input(const tkm_prompt& prompt, JsonWriter& json) {
    json.key("input");
    if (prompt.form == TKM_FORM_TEXT) return void(json.value(view(prompt.text)));
    json.begin_array();
    if (prompt.form == TKM_FORM_TOKENS) {
      for (const int32_t id : tokens(prompt)) json.value(id);
    } else {
      for (const tkm_message& message : messages(prompt)) json.value(input_of(message));
    }
    json.end_array();
  }

  void write_documents(const tkm_prompt& prompt, JsonWriter& json) const {
    if (prompt.form != TKM_FORM_CHAT || prompt.message_count < 2) {
      throw unsupported(std::string(ranks_.api) +
                        " takes a query and documents: a sample of two messages or more, the first of which "
                        "is the query");
    }
    write_text(input_of(prompt.messages[0]), json.key("query"));
    json.key(ranks_.documents).begin_array();
    for (const tkm_message& message : messages(prompt).subspan(1)) write_text(input_of(message), json);
    json.end_array();
  }

  void write_text(std::string_view text, JsonWriter& json) const {
    if (!ranks_.has_text_object) return void(json.value(text));
    json.begin_object().member("text", text).end_object();
  }

  const RankDialect& ranks_;
  std::string body_;
  AddedMembers added_;
};

class PoolingReply : public JsonReply<PoolingReply> {
 public:
  // `model`: as the request names it. `task`: the one that this instance does.
  PoolingReply(OpenAiShared& shared, const tkm_prompt& prompt, std::string_view model, int32_t task,
               const RankDialect& ranks)
      : JsonReply(prompt),
        shared_(shared),
        ranks_(ranks),
        asked_(shared.number_of(model)),
        inputs_(prompt.form == TKM_FORM_CHAT ? prompt.message_count - (task == TKM_TASK_RANK ? 1 : 0) : 1),
        task_(task),
        is_adapter_(prompt.adapter.size > 0) {}

 private:
  friend JsonReply;

  JsonScratch& scratch() { return shared_.json; }

  void read(const Json& root, std::string_view, Events& events) {
    const char* member = task_ == TKM_TASK_RANK ? ranks_.results : "data";
    const Json* results = member == nullptr ? nullptr : present(root, member);
    if (results == nullptr || !results->IsArray())
      return complaints().fail(TKM_FAIL_SEMANTICS, "no list of results", events);
    if (!are_results(*results, events)) return;
    const std::string_view answered = get_string(root, "model");
    if (!shared_.is_answer_of(asked_->first, answered, is_adapter_))
      complaints().warn(Complaints::kWrongModel, answered, events);
    say_usage(root, events);
    events.finish(0, TKM_FINISH_STOP, {});
  }

  bool read_array(const Json& results, Events& events) {
    if (task_ != TKM_TASK_RANK || ranks_.results != nullptr) return false;
    if (!are_results(results, events)) return true;
    say_usage_of_each(results, events);
    events.finish(0, TKM_FINISH_STOP, {});
    return true;
  }

  // As many as inputs, each with a value; else it is told what is wrong.
  bool are_results(const Json& results, Events& events) {
    if (results.Size() != inputs_) {
      const std::string counts =
          std::to_string(results.Size()) + " results for " + std::to_string(inputs_) + " inputs";
      complaints().fail(TKM_FAIL_SEMANTICS, counts, events);
      return false;
    }
    for (const Json& result : results.GetArray()) {
      if (is_result(result)) continue;
      complaints().fail(TKM_FAIL_SEMANTICS, "a result without a value", events);
      return false;
    }
    return true;
  }

  // A vector as numbers or in base64; a score.
  bool is_result(const Json& result) const {
    const Json* value = present(result, task_ == TKM_TASK_RANK ? ranks_.score : "embedding");
    if (value == nullptr) return false;
    if (task_ == TKM_TASK_RANK) return value->IsNumber();
    return value->IsString() ? value->GetStringLength() > 0 : value->IsArray() && !value->Empty();
  }

  // Rankings of some versions have the total alone.
  void say_usage(const Json& root, Events& events) {
    const Json* json = present(root, "usage");
    if (json == nullptr) return;
    ReadUsage it = read_usage(*json);
    if (it.usage.prompt_tokens < 0)
      it.usage.prompt_tokens = usage_detail::count(*json, "total_tokens", it.is_bad);
    if (it.is_bad) complaints().warn(Complaints::kUsageBad, "a token count that is no such number", events);
    it.usage.output_tokens = 0;
    events.usage(it.usage);
  }

  // Each result counts its document with the query. Nothing is told unless all of them do.
  void say_usage_of_each(const Json& results, Events& events) {
    Usage sum;
    sum.prompt_tokens = sum.output_tokens = 0;
    for (const Json& result : results.GetArray()) {
      const Json* meta = present(result, "meta_info");
      if (meta == nullptr) return;
      const ReadUsage it = read_usage(*meta);
      if (it.is_bad) complaints().warn(Complaints::kUsageBad, "a token count that is no such number", events);
      if (it.usage.prompt_tokens < 0) return;
      sum.prompt_tokens += it.usage.prompt_tokens;
    }
    events.usage(sum);
  }

  OpenAiShared& shared_;
  const RankDialect& ranks_;
  const OpenAiShared::Asked* asked_;
  size_t inputs_;
  int32_t task_;
  bool is_adapter_;
};

}  // namespace tkm
