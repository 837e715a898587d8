// A processor for all routes of OpenAI's API that are load: chat and completions as OpenAiProcessor has them,
// /v1/responses, /v1/embeddings and /v1/rerank, or the server's own form of it. The option `api` chooses one
// for an instance; its profile has the features of that one. A backend derives from it as from
// OpenAiProcessor; its capabilities name those of all its apis.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/openai.hpp>
#include <tokometer/openai/pooling.hpp>
#include <tokometer/openai/responses_reply.hpp>
#include <tokometer/openai/responses_request.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/plugin/either.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

enum class OpenAiApi { chat, completions, responses, embeddings, rerank };

// Of the option's value, one of the names above, or "ranking".
inline OpenAiApi openai_api(std::string_view name) {
  if (name == "completions") return OpenAiApi::completions;
  if (name == "responses") return OpenAiApi::responses;
  if (name == "embeddings") return OpenAiApi::embeddings;
  return name == "rerank" || name == "ranking" ? OpenAiApi::rerank : OpenAiApi::chat;
}

class OpenAiApis : public OpenAiProcessor {
 public:
  // `dialect.is_chat` follows from `api`.
  OpenAiApis(OpenAiApi api, OpenAiDialect dialect, std::vector<std::string> metrics = {},
             const RankDialect& ranks = kVllmRanks)
      : OpenAiProcessor(dialect_of(api, dialect), std::move(metrics)),
        api_(api),
        ranks_(ranks),
        responses_(std::move(dialect)),
        pooling_(ranks) {}

  void encode(const tkm_prompt& prompt, RequestOut& out) {
    if (api_ == OpenAiApi::chat || api_ == OpenAiApi::completions)
      return OpenAiProcessor::encode(prompt, out);
    if (api_ == OpenAiApi::responses) {
      const std::string& body = responses_.build(prompt, model_of(prompt));
      return write(ResponsesRequest::kPath, body, prompt.reply == TKM_REPLY_STREAM, out);
    }
    write(pooling_.path(task()), pooling_.build(prompt, model_of(prompt), task()), false, out);
  }

  using Reply = EitherStream<OpenAiReply, ResponsesReply, PoolingReply>;
  Reply open(const tkm_prompt& prompt) {
    if (api_ == OpenAiApi::chat || api_ == OpenAiApi::completions) return OpenAiProcessor::open(prompt);
    if (api_ == OpenAiApi::responses) return ResponsesReply(shared(), prompt, model_of(prompt));
    return PoolingReply(shared(), prompt, model_of(prompt), task(), ranks_);
  }

 protected:
  // As OpenAiProcessor's, with the capabilities that the api at hand has.
  std::string profile(ProfileParts parts) const {
    std::vector<const char*> kept;
    for (const char* capability : parts.capabilities) {
      if (has(capability)) kept.push_back(capability);
    }
    parts.capabilities = kept;
    return OpenAiProcessor::profile(parts);
  }

 private:
  static OpenAiDialect dialect_of(OpenAiApi api, OpenAiDialect dialect) {
    dialect.is_chat = api == OpenAiApi::chat || api == OpenAiApi::responses || api == OpenAiApi::rerank;
    return dialect;
  }

  int32_t task() const { return api_ == OpenAiApi::rerank ? TKM_TASK_RANK : TKM_TASK_EMBED; }

  bool has(std::string_view capability) const {
    using request_detail::is_one_of;
    if (api_ == OpenAiApi::embeddings) {
      return is_one_of(capability, {"proto.http", "reply.whole", "form.chat", "form.text", "form.tokens",
                                    "route.model", "route.adapter", "task.embed"});
    }
    if (api_ == OpenAiApi::rerank) {
      if (capability.starts_with("route.") && !ranks_.has_model) return false;
      return is_one_of(capability, {"proto.http", "reply.whole", "form.chat", "route.model", "route.adapter",
                                    "task.rank"});
    }
    if (capability.starts_with("task.")) return false;
    return api_ != OpenAiApi::responses || capability != "choices.many";
  }

  static void write(std::string_view path, const std::string& body, bool is_stream, RequestOut& out) {
    out.http("POST", path);
    out.header("content-type", "application/json");
    out.header("accept", is_stream ? "text/event-stream" : "application/json");
    out.body(body);
  }

  OpenAiApi api_;
  const RankDialect& ranks_;
  ResponsesRequest responses_;
  PoolingRequest pooling_;
};

}  // namespace tkm
