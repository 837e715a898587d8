#include "plugin/probe.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.hpp"

namespace tokometer {
namespace {

using tkm::Json;

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// For a path the slash of a name like "org/model" must not cut it in two; a header value may hold it.
std::string percent_encoded(std::string_view text, std::string_view also) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c) || also.find(c) != also.npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4u];
      out += kHex[static_cast<unsigned char>(c) & 15u];
    }
  }
  return out;
}

std::string escaped(std::string_view text, Place place) {
  if (place == Place::url) return percent_encoded(text, "");
  if (place == Place::header) return percent_encoded(text, "/:@ ");
  std::string out;
  tkm::append_json_escaped(out, text);
  return out;
}

std::string unescaped_step(std::string_view step) {
  std::string out;
  for (size_t i = 0; i < step.size(); ++i) {
    const bool is_escape =
        step[i] == '~' && i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1');
    out += is_escape ? (step[++i] == '0' ? '~' : '/') : step[i];
  }
  return out;
}

void descend(const Json& value, const std::string& step, std::vector<const Json*>& found) {
  if (value.IsArray()) {
    if (step == "*") {
      for (const Json& item : value.GetArray()) found.push_back(&item);
    } else if (!step.empty() && step.size() < 10 &&
               std::all_of(step.begin(), step.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      const auto index = static_cast<rapidjson::SizeType>(std::stoul(step));
      if (index < value.Size()) found.push_back(&value[index]);
    }
    return;
  }
  if (!value.IsObject()) return;
  if (const Json* member = tkm::find(value, step)) {
    found.push_back(member);
  } else if (step == "*") {
    for (const auto& each : value.GetObject()) found.push_back(&each.value);
  }
}

bool is_equal(const Json& value, std::string_view json) {
  tkm::JsonDocument wanted;
  return tkm::parse_json(json, wanted) && value == wanted;
}

bool is_accepted(const Probe& probe, int status) {
  if (probe.statuses.empty()) return probe.grpc ? status == 0 : status >= 200 && status <= 299;
  return std::find(probe.statuses.begin(), probe.statuses.end(), status) != probe.statuses.end();
}

std::string what_was_asked(const Probe& probe) {
  return (probe.grpc ? "gRPC " : probe.method + " ") + escape_terminal(probe.path, 128);
}

Error refused(const Probe& probe, const std::string& why) {
  return {what_was_asked(probe) + ": " + why};
}

Result<void> check_expectations(const Probe& probe, std::string_view body) {
  if (probe.expect.empty()) return {};
  tkm::JsonDocument document;
  if (!tkm::parse_json(body, document)) {
    return refused(probe, "the answer is no JSON: \"" + escape_terminal(body, 128) + "\"");
  }
  for (const auto& [pointer, wanted] : probe.expect) {
    const auto values = select(document, pointer);
    const auto is_wanted = [&, &json = wanted](const Json* value) { return is_equal(*value, json); };
    if (std::any_of(values.begin(), values.end(), is_wanted)) continue;
    return refused(probe, "expected " + wanted + " at " + pointer + " in the answer \"" +
                              escape_terminal(body, 128) + "\"");
  }
  return {};
}

}  // namespace

std::string fill(std::string_view text, Place place, const FillValues& values) {
  const std::array<std::pair<std::string_view, std::string_view>, 4> known = {{{"${model}", values.model},
                                                                               {"${adapter}", values.adapter},
                                                                               {"${path}", values.path},
                                                                               {"${text}", values.text}}};
  std::string out;
  while (!text.empty()) {
    const auto is_here = [&](const auto& each) { return text.substr(0, each.first.size()) == each.first; };
    const auto* const match = std::find_if(known.begin(), known.end(), is_here);
    if (match == known.end()) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += escaped(match->second, place);
      text.remove_prefix(match->first.size());
    }
  }
  return out;
}

Probe fill(const Probe& probe, const FillValues& values) {
  Probe filled = probe;
  filled.path = fill(probe.path, Place::url, values);
  if (probe.body_is_json) filled.body = fill(probe.body, Place::json, values);
  for (auto& [name, value] : filled.headers) value = fill(value, Place::header, values);
  return filled;
}

std::vector<const Json*> select(const Json& root, std::string_view pointer) {
  std::vector<const Json*> found{&root};
  while (!pointer.empty() && pointer.front() == '/') {
    pointer.remove_prefix(1);
    const std::string step = unescaped_step(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(std::min(pointer.find('/'), pointer.size()));
    std::vector<const Json*> next;
    for (const Json* value : found) descend(*value, step, next);
    found = std::move(next);
  }
  if (!pointer.empty()) found.clear();  // no pointer at all
  return found;
}

Result<void> check_answer(const Probe& probe, int status, std::string_view body) {
  if (status < 0) return refused(probe, "no answer");
  if (!is_accepted(probe, status)) {
    const std::string text = body.empty() ? "" : ": \"" + escape_terminal(body, 128) + "\"";
    return refused(probe, "status " + std::to_string(status) + text);
  }
  const bool has_body = !probe.grpc || status == 0;  // else it is what gRPC says of the failure
  if (has_body && probe.expect_bytes && *probe.expect_bytes != body) {
    return refused(probe, "another answer than expected: \"" + escape_terminal(body, 128) + "\"");
  }
  return check_expectations(probe, body);
}

Result<std::vector<ModelName>> read_models(const ModelsProbe& models, std::string_view body) {
  tkm::JsonDocument document;
  if (!tkm::parse_json(body, document)) {
    return refused(models.probe, "the answer is no JSON: \"" + escape_terminal(body, 128) + "\"");
  }
  std::vector<ModelName> names;
  for (const Json* value : select(document, models.names)) {
    if (value->IsString()) names.push_back({std::string(tkm::text_of(*value)), -1});
  }
  if (models.context.empty()) return names;
  const auto contexts = select(document, models.context);
  if (contexts.size() != names.size()) return names;
  for (size_t i = 0; i < names.size(); ++i) names[i].context_tokens = tkm::int_of(*contexts[i]).value_or(-1);
  return names;
}

Result<std::vector<int32_t>> read_token_ids(const TokenizeProbe& tokenize, std::string_view body) {
  tkm::JsonDocument document;
  if (!tkm::parse_json(body, document)) {
    return refused(tokenize.probe, "the answer is no JSON: \"" + escape_terminal(body, 128) + "\"");
  }
  std::vector<const Json*> found = select(document, tokenize.ids);
  if (found.size() == 1 && found.front()->IsArray()) {
    const Json& list = *found.front();
    found.clear();
    for (const Json& item : list.GetArray()) found.push_back(&item);
  } else if (found.empty()) {
    return refused(tokenize.probe, "no token ids at " + tokenize.ids);
  }
  std::vector<int32_t> ids;
  for (const Json* item : found) {
    const auto id = tkm::int_of(*item);
    if (!id || *id < 0 || *id > std::numeric_limits<int32_t>::max()) {
      return refused(tokenize.probe, "a token id at " + tokenize.ids + " is no whole number");
    }
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ids;
}

}  // namespace tokometer
