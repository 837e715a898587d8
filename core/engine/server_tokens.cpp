#include "engine/server_tokens.hpp"

#include "engine/server_probe.hpp"
#include "plugin/probe.hpp"

namespace tokometer {

Result<int64_t> ServerTokens::count(std::string_view text) const {
  const TokenizeProbe& tokenize = *found_.profile.tokenize;
  auto answer = ask_server(file_, found_, found_.servers.front(), tokenize.probe,
                           {.model = found_.model, .adapter = {}, .path = {}, .text = text});
  if (!answer) return Error{route() + ": " + answer.error().message};
  if (answer->status < 200 || answer->status > 299)
    return Error{route() + ": HTTP " + std::to_string(answer->status)};
  auto ids = read_token_ids(tokenize, answer->body);
  if (!ids) return ids.errors();
  return static_cast<int64_t>(ids->size());
}

std::string ServerTokens::route() const {
  const Probe& probe = found_.profile.tokenize->probe;
  return probe.method + " " + probe.path;
}

}  // namespace tokometer
