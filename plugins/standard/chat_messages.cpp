#include "chat_messages.hpp"

#include <string>
#include <string_view>

namespace standard {
namespace {

// One message and where it stands, for the sentences.
struct Message {
  const tkm::Json& json;
  std::string where;
  const Records& records;

  [[noreturn]] void refuse(const std::string& what) const { throw records.fault(where + what); }
};

Message message_at(const tkm::Json& list, rapidjson::SizeType index, const Records& records) {
  Message message{list[index], "message " + std::to_string(index + 1) + ": ", records};
  if (!message.json.IsObject()) message.refuse("must be an object (got " + shown(message.json) + ")");
  return message;
}

// Of a message of the session's forms: its content, which is text or a list of parts.
std::string text_of(const Message& message) {
  const tkm::Json* content = tkm::find(message.json, "content");
  if (content == nullptr) throw message.records.missing(message.json, "content", message.where);
  if (content->IsString()) return std::string(tkm::text_of(*content));
  if (!content->IsArray())
    message.refuse("\"content\" must be text or a list of parts (got " + shown(*content) + ")");
  std::string text;
  for (const tkm::Json& part : content->GetArray()) text += tkm::get_string(part, "text");
  return text;
}

std::string_view role_of(const Message& message) {
  const tkm::Json* role = tkm::find(message.json, "role");
  if (role == nullptr) throw message.records.missing(message.json, "role", message.where);
  if (!role->IsString()) message.refuse("\"role\" must be text (got " + shown(*role) + ")");
  return tkm::text_of(*role);
}

// All members but role and content: tool_calls, tool_call_id, name.
std::string extra_of(const tkm::Json& message) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object();
  for (const auto& member : message.GetObject()) {
    const std::string_view name = tkm::text_of(member.name);
    if (name != "role" && name != "content") json.key(name).value(member.value);
  }
  json.end_object();
  return text == "{}" ? std::string() : text;
}

// {"image_url": {"url": ...}}, or the URL itself.
std::string_view url_of(const tkm::Json& part, std::string_view kind) {
  const tkm::Json* holder = tkm::find(part, kind);
  if (holder == nullptr) return {};
  return holder->IsString() ? tkm::text_of(*holder) : tkm::get_string(*holder, "url");
}

tkm_part part_of(const Message& message, const tkm::Json& part) {
  const std::string_view type = tkm::get_string(part, "type");
  tkm_part said{TKM_PART_TEXT, 0, {}, {}};
  if (type == "text") {
    said.data = tkm::str(tkm::get_string(part, "text"));
  } else if (type == "image_url" || type == "video_url") {
    said.kind = type == "image_url" ? TKM_PART_IMAGE : TKM_PART_VIDEO;
    said.data = tkm::str(url_of(part, type));
  } else {
    message.refuse("a part must have the type text, image_url or video_url (got " + shown(part["type"]) +
                   ")");
  }
  if (said.data.size == 0) message.refuse("a part of type " + std::string(type) + " is empty");
  return said;
}

// True if there was anything in it but blanks.
bool say_content(const Message& message, const tkm::Json& content, tkm::SampleOut& out) {
  if (content.IsNull()) return false;
  if (content.IsString()) {
    out.part({TKM_PART_TEXT, 0, {}, tkm::str(tkm::text_of(content))});
    return !is_blank(tkm::text_of(content));
  }
  if (!content.IsArray())
    message.refuse("\"content\" must be text or a list of parts (got " + shown(content) + ")");
  bool any = false;
  for (const tkm::Json& part : content.GetArray()) {
    if (!part.IsObject() || !part.HasMember("type"))
      message.refuse("each part must be an object with a \"type\"");
    const tkm_part said = part_of(message, part);
    out.part(said);
    any = any || said.kind != TKM_PART_TEXT || !is_blank(tkm::view(said.data));
  }
  return any;
}

bool say_message(const Message& message, tkm::SampleOut& out) {
  const std::string_view role = role_of(message);
  out.begin_message(role, extra_of(message.json));
  const tkm::Json* content = tkm::find(message.json, "content");
  if (content == nullptr && !message.json.HasMember("tool_calls")) {
    throw message.records.missing(message.json, "content", message.where);
  }
  return content != nullptr && say_content(message, *content, out) && role != "system";
}

}  // namespace

void say_messages(const tkm::Json& list, const Records& records, tkm::SampleOut& out) {
  if (!list.IsArray()) throw records.fault("the messages must be a list (got " + shown(list) + ")");
  bool asks = false;
  for (rapidjson::SizeType index = 0; index < list.Size(); ++index) {
    const Message message = message_at(list, index, records);
    const tkm::Json* content = tkm::find(message.json, "content");
    const bool last = index + 1 == list.Size();
    if (last && content != nullptr && content->IsString() && role_of(message) == "assistant") {
      out.answer(tkm::text_of(*content));
    } else {
      asks = say_message(message, out) || asks;
    }
  }
  if (!asks) throw records.fault("empty prompt");
}

std::vector<TurnMessages> turns_of(const tkm::Json& list, const Records& records) {
  if (!list.IsArray()) throw records.fault("the messages must be a list (got " + shown(list) + ")");
  std::vector<TurnMessages> turns;
  rapidjson::SizeType begin = 0;
  bool asks = false;
  for (rapidjson::SizeType index = 0; index < list.Size(); ++index) {
    const Message message = message_at(list, index, records);
    const std::string_view role = role_of(message);
    if (role == "tool" || message.json.HasMember("tool_calls")) {
      message.refuse("calls of tools cannot be played as a session");
    }
    asks = asks || (role == "user" && !is_blank(text_of(message)));
    if (role != "assistant" || !asks) continue;
    turns.push_back({begin, index, true});
    begin = index + 1;
    asks = false;
  }
  if (asks) turns.push_back({begin, list.Size(), false});
  if (turns.empty()) throw records.fault("empty prompt");
  return turns;
}

void say_turn(const tkm::Json& list, const TurnMessages& turn, const Records& records, tkm::SampleOut& out) {
  for (rapidjson::SizeType index = turn.begin; index < turn.end; ++index) {
    say_message(message_at(list, index, records), out);
  }
  if (turn.answered) out.answer(text_of(message_at(list, turn.end, records)));
}

}  // namespace standard
