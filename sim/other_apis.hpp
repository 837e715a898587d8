// The routes of OpenAI-like servers besides chats and completions: /v1/responses, whose events have names and
// say the response's state, and /v1/embeddings and /v1/rerank (NIM: /v1/ranking), whose one answer holds no
// text. Their requests are turned into chats and completions, which generation.cpp checks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tokometer/json.hpp>
#include <vector>

#include "sim/events.hpp"
#include "sim/generation.hpp"
#include "sim/http.hpp"

namespace tokometer::sim {

// `none`: the path is none of them, or the dialect has them not.
OtherApi other_api(const Options& options, std::string_view path);

// The same request as the body of a chat (/v1/responses) or of a completion. Nothing: no JSON object.
std::optional<std::string> as_plain_body(OtherApi api, const Request& request);

// The documents of a ranking, of a body that as_plain_body() made.
std::vector<Ranked> ranked(const tkm::Json& plain_body);

std::unique_ptr<EventWriter> make_responses_events(const Generation& generation, ChunkBuffer& buffer);
std::unique_ptr<EventWriter> make_pooling_events(const Generation& generation, ChunkBuffer& buffer);

}  // namespace tokometer::sim
