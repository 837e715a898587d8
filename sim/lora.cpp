#include "sim/lora.hpp"

#include <algorithm>
#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "sim/generation.hpp"

namespace tokometer::sim {
namespace {

Page refused(int status, std::string message, std::string type) {
  return {.status = status,
          .media_type = "application/json",
          .body = error_json({status, std::move(message), std::move(type), {}})};
}

Page done(const std::string& text, std::vector<std::string> adapters) {
  Page page{.media_type = "text/plain; charset=utf-8", .body = text};
  page.adapters = std::move(adapters);
  return page;
}

// The value of a member that must be there; empty: it is not.
std::string text_of(const Request& request, const char* key) {
  tkm::JsonDocument body;
  if (!tkm::parse_json(request.body, body) || !body.IsObject()) return {};
  return std::string(tkm::get_string(body, key));
}

Page missing(const std::string& key) {
  return refused(400, "1 validation error:\n  {'type': 'missing', 'loc': 'body." + key + "'}", "Bad Request");
}

}  // namespace

Page load_lora(const Request& request, const PageState& state) {
  const std::string name = text_of(request, "lora_name"), path = text_of(request, "lora_path");
  if (name.empty()) return missing("lora_name");
  if (path.empty()) return missing("lora_path");
  auto adapters = state.options.adapters;
  const std::string shown = escape_terminal(name);
  if (std::find(adapters.begin(), adapters.end(), name) != adapters.end())
    return refused(400, "The lora adapter '" + shown + "' has already been loaded.", "InvalidUserInput");
  if (path.ends_with("missing"))
    return refused(404, "Loading lora " + shown + " failed: No adapter found for " + escape_terminal(path),
                   "NotFoundError");
  adapters.push_back(name);
  return done("Success: LoRA adapter '" + shown + "' added successfully.", std::move(adapters));
}

Page unload_lora(const Request& request, const PageState& state) {
  const std::string name = text_of(request, "lora_name");
  if (name.empty()) return missing("lora_name");
  auto adapters = state.options.adapters;
  const std::string shown = escape_terminal(name);
  if (std::erase(adapters, name) == 0)
    return refused(404, "The lora adapter '" + shown + "' cannot be found.", "NotFoundError");
  return done("Success: LoRA adapter '" + shown + "' removed successfully.", std::move(adapters));
}

}  // namespace tokometer::sim
